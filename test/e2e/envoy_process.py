"""The real Envoy as a process. SIGNALBOX_ENVOY names the binary."""

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from http_client import get
from programs import wait_until

BINARY = os.environ.get('SIGNALBOX_ENVOY', '')


class Envoy:
    """A running Envoy; looks like a Program to the fixtures."""

    def __init__(self, config, concurrency=1):
        self.name = 'envoy'
        self.folder = Path(tempfile.mkdtemp(prefix='signalbox-envoy-'))
        self.log_path = self.folder / 'envoy.log'
        config_path = self.folder / 'envoy.json'
        config_path.write_text(json.dumps(config))
        admin_path = self.folder / 'admin'
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [BINARY, '-c', str(config_path), '--use-dynamic-base-id', '--concurrency', str(concurrency),
                 '--admin-address-path', str(admin_path), '--log-level', 'warning', '--drain-time-s', '1',
                 '--parent-shutdown-time-s', '2'], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        wait_until(lambda: admin_path.exists() and admin_path.read_text(), 'Envoy to start', self)
        self.admin_port = int(admin_path.read_text().rsplit(':', 1)[1])
        wait_until(lambda: get(self.admin_port, '/ready').status == 200, 'Envoy to be ready', self)
        listeners = get(self.admin_port, '/listeners?format=json').json['listener_statuses']
        self.port = listeners[0]['local_address']['socket_address']['port_value']

    def log(self):
        return self.log_path.read_text(errors='replace')

    def stat(self, name):
        """Value of the ext_proc statistic of that name, summed over filters."""
        text = get(self.admin_port, f'/stats?filter=ext_proc.*{name}$').text
        return sum(int(value) for value in re.findall(r': (\d+)$', text, re.MULTILINE))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode
