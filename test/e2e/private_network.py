"""A network and names of one's own for a test: every port is free, and cluster names lead to this machine, so that
published objects run without a change. Needs root. Linux gives each thread its own namespaces: what the calling thread
opens and starts from here on is inside."""

import contextlib
import ctypes
import os
import socket
import struct
import tempfile
from pathlib import Path

CLONE_FS, CLONE_NEWNS, CLONE_NEWNET = 0x00000200, 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f'{name}: {os.strerror(number)}')


def _loopback_up():
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack('16sH14x', b'lo', 0)
        flags = struct.unpack('16sH14x', fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack('16sH14x', b'lo', flags | IFF_UP))


@contextlib.contextmanager
def private_network(names):
    """Until the end of the block: a loopback of one's own, on which `names` are 127.0.0.1."""
    if os.geteuid() != 0:
        raise PermissionError('a network of its own needs root: run ./dev test as root, or ./dev test --quick without it')
    here = [(os.open(f'/proc/thread-self/ns/{kind}', os.O_RDONLY), flag)
            for kind, flag in (('net', CLONE_NEWNET), ('mnt', CLONE_NEWNS))]
    folder = os.getcwd()
    with tempfile.NamedTemporaryFile('w', prefix='signalbox-hosts-') as hosts:
        hosts.write(''.join(f'127.0.0.1 {name}\n' for name in ['localhost', *names]))
        hosts.flush()
        Path(hosts.name).chmod(0o644)
        _call('unshare', CLONE_NEWNET | CLONE_NEWNS)
        try:
            _call('mount', b'none', b'/', None, MS_REC | MS_PRIVATE, None)
            _call('mount', hosts.name.encode(), b'/etc/hosts', None, MS_BIND, None)
            _loopback_up()
            yield
        finally:
            # Threads that were started inside share our root and folder; who shares them may not change the mounts it sees.
            _call('unshare', CLONE_FS)
            for descriptor, flag in here:
                _call('setns', descriptor, flag)
                os.close(descriptor)
            os.chdir(folder)
