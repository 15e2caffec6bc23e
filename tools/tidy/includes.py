"""Include rules: folders see only their DEPS of src/CMakeLists.txt; third-party headers live in named folders."""

import re

LIBRARY = re.compile(r'^\s*signalbox_library\s*\((.*?)\)', re.DOTALL | re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")', re.MULTILINE)
KEYWORDS = {'NAME', 'LAYER', 'DIR', 'DEPS', 'PACKAGES', 'SUBDIRS', 'TEST_DEPS', 'CONCURRENT'}

TEST_FILES = ('_test.cc', '_fuzz.cc', '_bench.cc')
# Prefix of the header -> folders that may include it. '*' means everywhere, 'tests' means test files only.
THIRD_PARTY = {
    'fmt/': {'*'},
    'spdlog/': {'src/base'},
    'openssl/': {'src/net'},
    'simdjson': {'src/json'},
    'yaml-cpp/': {'src/config'},
    're2/': {'src/signals'},
    'hs/': {'src/signals'},
    'hs.h': {'src/signals'},
    'grpcpp/': {'src/listener', 'tests'},
    'google/protobuf/': {'src/listener'},
    'envoy/': {'src/listener', 'tests'},
    'utf8proc.h': {'src/tokenize'},
    'zmq.h': {'src/kv'},
    'sys/eventfd.h': {'src/kv'},
    'immintrin.h': {'src/tensor'},
    'emmintrin.h': {'src/tensor', 'src/json', 'src/http', 'src/tokenize'},
    'tmmintrin.h': {'src/tensor', 'src/json'},
    'nmmintrin.h': {'src/tensor', 'src/base'},
    'arm_neon.h': {'src/tensor'},
    'sys/auxv.h': {'src/tensor'},
    'cpuid.h': {'src/base', 'src/tensor'},
    'gtest/': {'tests'},
    'gmock/': {'tests'},
    'rapidcheck': {'tests'},
    'oneapi/dnnl': {'tests'},
    'dnnl': {'tests'},
    'sys/socket.h': {'src/net', 'tests'},
    'sys/epoll.h': {'src/net', 'tests'},
    'sys/eventfd.h': {'src/net', 'src/kv'},
    'netinet/': {'src/net', 'tests'},
    'arpa/inet.h': {'src/net', 'src/listener', 'tests'},
    'sys/statvfs.h': {'src/telemetry'},
    'arpa/nameser.h': {'src/net'},
    'resolv.h': {'src/net'},
    'netdb.h': {'src/net', 'tests'},
    'poll.h': {'src/net', 'src/config', 'src/telemetry', 'tests'},
    'sys/inotify.h': {'src/config'},
    'pthread.h': {'src/base', 'src/net', 'src/tensor', 'src/encoder', 'apps'},
    'linux/': {'src/base', 'src/net', 'src/tensor', 'tests'},
}
# Plain C and POSIX headers without a home of their own.
PLAIN = {'unistd.h', 'fcntl.h', 'signal.h', 'sched.h', 'errno.h', 'limits.h', 'sys/stat.h', 'sys/types.h', 'sys/mman.h',
         'sys/resource.h', 'sys/time.h', 'sys/wait.h', 'sys/uio.h', 'sys/syscall.h', 'sys/file.h', 'dirent.h',
         'sys/prctl.h', 'sys/sysinfo.h', 'time.h', 'stdint.h', 'stddef.h', 'spawn.h'}


def libraries(cmake_text):
    """{name: (layer, deps, test_deps)} from the signalbox_library calls."""
    found = {}
    for match in LIBRARY.finditer(re.sub(r'#[^\n]*', '', cmake_text)):
        fields, key = {}, None
        for word in match.group(1).split():
            if word in KEYWORDS:
                key = word
                fields.setdefault(key, [])
            elif key:
                fields[key].append(word)
        if 'NAME' in fields:
            found[fields['NAME'][0]] = (int(fields['LAYER'][0]), set(fields.get('DEPS', ())),
                                        set(fields.get('TEST_DEPS', ())))
    return found


def _check_own(path, header, folder, library, known):
    if header.startswith('net/testing/') and not path.endswith(TEST_FILES) and not path.startswith('src/net/testing/'):
        return f'"{header}": virtual time and scripted streams are for tests'
    target = header.split('/')[0]
    layer, deps, test_deps = library
    allowed = deps | {folder} | (test_deps if path.endswith(TEST_FILES) else set())
    if target in allowed:
        return None
    if target in known and known[target][0] < layer:
        return f'"{header}": {folder} does not name {target} in its DEPS; add it in src/CMakeLists.txt if it is meant'
    if target in known:
        return (f'"{header}": {folder} (layer {layer}) may not see {target} (layer {known[target][0]}); '
                'move the shared part down, or let pipeline/ pass it in')
    return f'"{header}": no such folder under src/; own includes are written "folder/file.h"'


def _check_third_party(path, header):
    if header in PLAIN or ('/' not in header and not header.endswith('.h')):
        return None
    is_test = path.endswith(TEST_FILES) or path.startswith('test/')
    for prefix, places in THIRD_PARTY.items():
        if not header.startswith(prefix):
            continue
        if '*' in places or ('tests' in places and is_test):
            return None
        if any(path.startswith(place + '/') for place in places if place != 'tests'):
            return None
        return f'<{header}> belongs to {", ".join(sorted(places))}; use the interface of that folder'
    return f'<{header}> has no home yet: name the folder that may include it in tools/tidy/includes.py'


def check(path, text, code, known, tree_paths=frozenset()):
    """Yields (line, message). `code` has literals blanked, so an include inside a raw string is not one."""
    parts = path.split('/')
    own = path[4:-3] + '.h' if path.startswith('src/') and path.endswith('.cc') else None
    first = True
    for match in INCLUDE.finditer(text):
        start = match.start() + len(match.group(0)) - len(match.group(0).lstrip())
        if code[start] != '#':
            continue
        header, line = match.group(1), text.count('\n', 0, match.start(1)) + 1
        name = header[1:-1]
        if first and own and 'src/' + own in tree_paths and name != own:
            yield line, f'"{own}" comes first: that proves that it compiles alone'
        first = False
        if header.startswith('<'):
            message = _check_third_party(path, name)
        elif parts[0] == 'src' and parts[1] in known:
            message = _check_own(path, name, parts[1], known[parts[1]], known)
        else:
            message = None
        if message:
            yield line, message
