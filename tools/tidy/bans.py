"""What may not be written, where it may be, and what to write instead. One row a ban, matched against code only
(comments and literals are blanked). `except_in` are path prefixes (or suffixes starting with *)."""

import re
from typing import NamedTuple

TESTS = ('*_test.cc', '*_fuzz.cc', '*_bench.cc', 'test/')


class Ban(NamedTuple):
    name: str
    pattern: str
    instead: str
    except_in: tuple = ()


BANS = [
    Ban('thread', r'\bstd::j?thread\b', 'run it on a net::Loop, or on the encoder\'s compute pool',
        ('src/net/', 'src/tensor/', 'src/encoder/', 'src/telemetry/', 'src/pipeline/core.', 'src/pipeline/office.',
         'src/sim/server.', 'src/kv/', 'apps/') + TESTS),
    Ban('detach', r'(?:\.|->)detach\s*\(', 'own the thread and join it; tasks without a parent belong to a net::TaskGroup'),
    Ban('async', r'\bstd::async\b', 'post to a net::Loop and wait for a net::OneShot'),
    Ban('random', r'\b(?:std::)?(?:rand|srand|drand48)\s*\(|\bstd::(?:random_device|mt19937(?:_64)?)\b',
        'base/random.h, which tests can seed', ('src/base/random.', '*_test.cc')),
    Ban('environment', r'\b(?:std::)?(?:secure_)?getenv\b|\bsetenv\b', 'environment() of base/environment.h',
        ('src/base/environment.cc', '*_test.cc')),
    Ban('wall-clock', r'\bsystem_clock::now\b|\bgettimeofday\b|\bclock_gettime\b|(?<![\w.>])(?:std::)?time\s*\(\s*(?:nullptr|NULL|0)\s*\)',
        'Clock::unix_time() of base/clock.h', ('src/base/clock.', 'test/bench/')),
    Ban('clock', r'\b(?:steady|high_resolution)_clock::now\b', 'Clock::now() or Loop::now(): a simulation must be able to drive it',
        ('src/base/clock.', 'src/net/', '*_bench.cc', 'test/bench/')),
    Ban('new', r'(?<!operator )(?<!>\()\bnew\s+[A-Za-z_:]',
        'std::make_unique, std::unique_ptr<T>(new T(...)) where the constructor is private, or a container'),
    Ban('delete', r'(?<!operator )(?<!= )(?<!=)\bdelete\b(?:\s*\[\s*\])?\s*[A-Za-z_(*]', 'std::unique_ptr'),
    Ban('malloc', r'\b(?:std::)?(?:malloc|calloc|realloc|free)\s*\(', 'a container or std::unique_ptr',
        ('src/net/frame_pool.cc', '*_bench.cc')),  # benchmarks replace operator new to count
    Ban('co_spawn', r'\bco_spawn\b', 'net::TaskGroup::spawn'),
    # g++ 12 lays the frame of such a loop out wrong and the program ends on an illegal instruction.
    Ban('await-in-while', r'\bwhile\s*\([^;{}]*\bco_await\b',
        'a variable, awaited before the loop and at the end of its body, or for (;;) with a break'),
    Ban('using-namespace', r'\busing\s+namespace\s+(?!std::(?:chrono_|string_|string_view_)?literals\b)',
        'name what you use: `using signalbox::json::Document;`'),
    Ban('stdout', r'\bstd::(?:cout|cerr|clog)\b|(?<![\w:])(?:std::)?(?:printf|puts|putchar)\s*\(|\bfmt::print\b',
        'log::info() of base/log.h; only apps/ talk to the terminal', ('apps/', 'train/') + TESTS),
    Ban('endl', r'\bstd::endl\b', r"'\n'"),
    Ban('assert', r'(?<![\w:])assert\s*\(', 'SBX_ASSERT of base/assert.h, which stays on in release'),
    Ban('throw', r'\bthrow\b(?!\s*\()', 'return fail(Code::..., ...): errors are values',
        ('*_test.cc', '*_bench.cc')),
    Ban('regex', r'\bstd::(?:basic_)?regex\b', 'RE2 (src/signals): bounded time on hostile input', ('*_test.cc',)),
    Ban('number-parsing', r'\bstd::sto(?:i|l|ll|ul|ull|f|d|ld)\b|(?<![\w:])(?:std::)?(?:atoi|atol|atof|strtol|strtoul|strtod|sscanf)\s*\(',
        'std::from_chars or base/text.h', ('*_test.cc', 'test/bench/')),
    Ban('sleep', r'\bsleep_(?:for|until)\s*\(\s*std::|\bstd::this_thread::sleep|(?<=[;{}\s])u?sleep\s*\(\s*\d|\bnanosleep\b',
        'wait for the event itself; back-off is co_await loop.sleep()', ('test/bench/',)),
    Ban('hardware-concurrency', r'\bhardware_concurrency\b', 'cpu budget of base/cpu.h, which knows affinity and cgroup limits'),
    Ban('hidden-state', r'^\s*(?:static|thread_local|inline thread_local|static thread_local|thread_local static)\s+'
        r'(?!const\b|constexpr\b|constinit const\b|inline\b|_)[\w:<>,\s*&]+\s\w+\s*(?:=[^;(]*|\{[^;()]*\})?;',
        'pass the object in; mutable shared state is a closed list in docs/architecture.md', ('*_bench.cc',)),
    Ban('pointer-cast-c', r'\(\s*(?:unsigned\s+)?(?:char|void|int|float|double)\s*\*+\s*\)\s*[A-Za-z_&]',
        'static_cast or reinterpret_cast, so that it can be found'),
]

COMPILED = [(ban, re.compile(ban.pattern, re.MULTILINE)) for ban in BANS]


def applies(ban, path):
    for place in ban.except_in:
        if path.endswith(place[1:]) if place.startswith('*') else path.startswith(place):
            return False
    return True
