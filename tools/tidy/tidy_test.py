#!/usr/bin/env python3
"""Tests of tools/tidy: each builds a small tree and says what must be found in it."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import cpp
import limits_document
import tidy

LIBRARIES = '''signalbox_library(NAME base LAYER 0)
signalbox_library(NAME json LAYER 1 DEPS base PACKAGES simdjson::simdjson)
signalbox_library(NAME request LAYER 5 DEPS base json)
signalbox_library(NAME decision LAYER 5 DEPS base)
'''
HACKING = ''.join(f'- `src/{name}/`\n' for name in ('base', 'json', 'request', 'decision'))


class TreeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        subprocess.run(['git', 'init', '-q', self.root], check=True)
        self.write('src/CMakeLists.txt', LIBRARIES)
        self.write('HACKING.md', HACKING)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding='utf-8')

    def rules(self, path=None):
        return [rule for where, _, rule, _ in tidy.check_tree(self.root) if path in (None, where)]

    def rules_of(self, code, path='src/json/x.cc'):
        self.write(path, code)
        return self.rules(path)


class Includes(TreeTest):
    def test_a_tree_without_mistakes_has_no_findings(self):
        self.write('src/json/x.h', '// What it is.\n#pragma once\n#include "base/error.h"\nint f();\n')
        self.assertEqual(self.rules(), [])

    def test_a_stage_may_not_see_another_stage(self):
        self.assertEqual(self.rules_of('#include "decision/x.h"\n', 'src/request/x.cc'), ['include'])

    def test_a_lower_layer_must_be_named_in_deps(self):
        self.write('src/decision/x.cc', '#include "json/x.h"\n')
        [(path, line, rule, message)] = tidy.check_tree(self.root)
        self.assertEqual((path, line, rule), ('src/decision/x.cc', 1, 'include'))
        self.assertIn('DEPS', message)

    def test_third_party_headers_live_in_their_folder(self):
        self.assertEqual(self.rules_of('#include <simdjson.h>\n'), [])
        self.assertEqual(self.rules_of('#include <simdjson.h>\n', 'src/request/x.cc'), ['include'])
        self.assertEqual(self.rules_of('#include <gtest/gtest.h>\n', 'src/request/x_test.cc'), [])
        self.assertEqual(self.rules_of('#include <unheard/of.h>\n', 'src/request/x.cc'), ['include'])

    def test_a_source_includes_its_own_header_first(self):
        self.write('src/json/x.h', '#pragma once\n')
        self.assertEqual(self.rules_of('#include <vector>\n#include "json/x.h"\n'), ['include'])
        self.assertEqual(self.rules_of('#include "json/x.h"\n\n#include <vector>\n'), [])

    def test_an_include_inside_a_raw_string_is_not_one(self):
        self.assertEqual(self.rules_of('const char* const k = R"(\n#include "decision/x.h"\n)";\n'), [])


class Bans(TreeTest):
    def test_bans_name_the_replacement(self):
        self.write('src/json/x.cc', 'void f() { std::thread t; }\n')
        [(_, line, rule, message)] = tidy.check_tree(self.root)
        self.assertEqual((line, rule), (1, 'thread'))
        self.assertIn('net::Loop', message)

    def test_each_ban_finds_its_example(self):
        examples = {
            'detach': 't.detach();', 'async': 'auto f = std::async(g);', 'random': 'int x = rand();',
            'environment': 'auto v = getenv("X");', 'wall-clock': 'auto t = std::chrono::system_clock::now();',
            'clock': 'auto t = std::chrono::steady_clock::now();', 'new': 'auto* p = new Thing;',
            'delete': 'delete p;', 'malloc': 'auto* p = malloc(4);', 'co_spawn': 'co_spawn(io, f());',
            'await-in-while': 'while (!co_await next()) {}',
            'using-namespace': 'using namespace std;', 'stdout': 'std::cout << 1;', 'endl': 's << std::endl;',
            'assert': 'assert(x);', 'throw': 'throw Error();', 'regex': 'std::regex r;',
            'number-parsing': 'int x = std::stoi(s);', 'sleep': 'std::this_thread::sleep_for(1s);',
            'hardware-concurrency': 'auto n = hardware_concurrency();',
            'hidden-state': 'static int counter = 0;', 'pointer-cast-c': 'auto p = (char*)q;'}
        for rule, line in examples.items():
            with self.subTest(rule):
                self.assertEqual(self.rules_of(f'void f() {{\n  {line}\n}}\n'), [rule])

    def test_words_in_comments_and_strings_are_not_code(self):
        self.assertEqual(self.rules_of('// getenv and new Thing\nconst char* const k = "delete p; rand()";\n'), [])

    def test_deleted_functions_placement_new_and_constants_are_fine(self):
        self.assertEqual(self.rules_of('struct A {\n  A(const A&) = delete;\n  void* operator new(std::size_t);\n};\n'
                                       'static const int kOne = 1;\nvoid f() { new (p) A; }\n'), [])

    def test_a_line_may_be_allowed_with_a_reason_only(self):
        self.assertEqual(self.rules_of('void f() { delete p; }  // tidy: allow(delete) C interface owns it\n'), [])
        self.assertEqual(self.rules_of('void f() { delete p; }  // tidy: allow(delete)\n'), ['delete'])

    def test_mutable_globals_are_found_at_namespace_scope_only(self):
        self.assertEqual(self.rules_of('namespace a {\nstd::vector<int> seen;\n}\n'), ['hidden-state'])
        self.assertEqual(self.rules_of('namespace a {\nstruct B {\n  std::vector<int> seen;\n};\n}\n'), [])
        self.assertEqual(self.rules_of('namespace a {\nconst std::vector<int> kSeen;\n}\n'), [])


class Sizes(TreeTest):
    def test_a_long_function_is_found_and_named(self):
        body = '  g();\n' * 80
        self.write('src/json/x.cc', f'namespace a {{\nint first() {{ return 1; }}\nvoid Long::one(int a) {{\n{body}}}\n}}\n')
        [(_, line, rule, message)] = tidy.check_tree(self.root)
        self.assertEqual((line, rule), (3, 'function-size'))
        self.assertIn('Long::one has 82 lines', message)

    def test_a_long_class_or_table_is_not_a_function(self):
        members = '  int f() { return 1; }\n' * 80
        table = '    {1, 2},\n' * 80
        self.assertEqual(self.rules_of(f'class A : public B<int> {{\n{members}}};\n'
                                       f'constexpr Row kRows[] = {{\n{table}}};\n'), [])

    def test_a_constructor_with_braces_in_its_initialiser_list_is_one_function(self):
        code = 'A::A(int a)\n    : one_{a}, two_(a) {\n' + '  g();\n' * 71 + '}\n'
        self.assertEqual(self.rules_of(code), ['function-size'])

    def test_a_long_file_is_found(self):
        self.assertEqual(self.rules_of('int f();\n' * 601), ['file-size'])


class Texts(TreeTest):
    def test_spaces_tabs_and_unfinished_work_are_found(self):
        self.assertEqual(sorted(self.rules_of('int a(); \n\tint b();\n// TO' + 'DO later\n')), ['space', 'tab', 'todo'])
        self.assertEqual(self.rules_of('// TO' + 'DO(#12) later\n'), [])

    def test_machine_paths_and_registries_are_found(self):
        self.write('docs/x.md', 'see /ro' + 'ot/x and py' + 'pi.org\n')
        self.assertEqual(self.rules('docs/x.md'), ['machine-path', 'registry'])
        self.write('docs/x.md', 'GET https://example.com/ho' + 'me/ and src/wo' + 'rk/x\n')
        self.assertEqual(self.rules('docs/x.md'), [])

    def test_empty_names_are_found(self):
        self.write('src/json/utils.h', '#pragma once\n')
        self.assertEqual(self.rules('src/json/utils.h'), ['name'])

    def test_two_types_of_one_name_in_one_namespace_are_found(self):
        text = '// What it is.\n#pragma once\n\nnamespace signalbox::{space} {{\n\n{kind} Range {{}};\n\n}}\n'
        self.write('src/json/a.h', text.format(space='json', kind='struct'))
        self.write('src/json/b.h', text.format(space='base', kind='struct'))
        self.assertNotIn('one-definition', self.rules())
        self.write('src/json/b.h', text.format(space='json', kind='enum class'))
        self.assertEqual(self.rules().count('one-definition'), 1)

    def test_other_scripts_are_for_tests_and_tables(self):
        text = 'const char* const k = "\u00e9";\n'
        self.assertEqual(self.rules_of(text), ['ascii'])
        self.assertEqual(self.rules_of(text, 'src/json/x_test.cc'), [])
        self.assertEqual(self.rules_of(text, 'src/json/words_data.cc'), [])

    def test_the_limits_document_is_what_the_header_says(self):
        header = '#pragma once\nnamespace signalbox::limits {\n// Sizes.\ninline constexpr std::size_t kOneMax =\n    4 << 20;  // why\n}\n'
        self.write('src/base/limits.h', header)
        self.assertEqual(self.rules('docs/limits.md'), ['document'])
        document = limits_document.document(header)
        self.assertIn('Sizes.', document)
        self.assertIn('| `kOneMax` | 4 Mi | why |', document)
        self.write('docs/limits.md', document)
        self.assertEqual(self.rules('docs/limits.md'), [])


class Lexing(unittest.TestCase):
    def test_blanking_keeps_lines_and_columns(self):
        text = 'a("x//y"); // c\nR"(q\n")" b\n'
        code = cpp.code_of(text)
        self.assertEqual([len(l) for l in code.split('\n')], [len(l) for l in text.split('\n')])
        self.assertNotIn('c', code.split('\n')[0][9:])

    def test_digit_separators_are_not_character_literals(self):
        self.assertIn('rand', cpp.code_of("int x = 200'000; rand(); int y = 1'000;"))


if __name__ == '__main__':
    unittest.main()
