"""The operator's tools as programs: exit status, stdout and stderr."""

import json
import subprocess
from pathlib import Path

import pytest

import programs

EXAMPLE = Path(__file__).resolve().parents[2] / 'examples' / 'mom.yaml'
COMMANDS = ['serve', 'router', 'sim', 'check', 'config', 'explain', 'classify', 'eval']


def signalbox(*arguments, text=None):
    return subprocess.run([programs.BINARY, *arguments], capture_output=True, text=True, check=False, timeout=120,
                          input=text if text is not None else '')


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_explains_itself(command):
    run = signalbox(command, '--help')
    assert run.returncode == 0 and 'usage' in run.stdout.lower()


@pytest.mark.parametrize('command', COMMANDS)
def test_an_unknown_flag_is_refused(command):
    run = signalbox(command, '--no-such-flag')
    assert run.returncode == 2 and 'no-such-flag' in run.stderr


def test_version_prints_one_line():
    assert signalbox('version').stdout.startswith('signalbox ')


def test_check_is_content_with_the_example():
    run = signalbox('check', str(EXAMPLE))
    assert run.returncode == 0, run.stdout + run.stderr


def test_check_names_file_line_and_the_word_that_was_meant(tmp_path):
    path = tmp_path / 'config.yaml'
    path.write_text(EXAMPLE.read_text().replace('strategy: priority', 'stratgy: priority'))
    run = signalbox('check', str(path))
    assert run.returncode == 2
    output = run.stdout + run.stderr
    line = path.read_text()[:path.read_text().index('stratgy')].count('\n') + 1
    assert f'config.yaml:{line}' in output and 'strategy' in output


def test_check_finds_a_decision_that_can_never_win(tmp_path):
    path = tmp_path / 'config.yaml'
    path.write_text(EXAMPLE.read_text().replace('  decisions:\n', '''  decisions:
    - name: everything
      priority: 1000
      rules: {operator: AND, conditions: []}
      modelRefs: [{model: base-model, use_reasoning: false}]
'''))
    run = signalbox('check', '--json', str(path))
    assert run.returncode == 1
    assert 'math_decision' in json.dumps(json.loads(run.stdout))


def test_explain_names_the_winner_and_the_runner_up():
    run = signalbox('explain', 'Explain step by step what a derivative is.')
    assert run.returncode == 0, run.stderr
    assert 'thinking_decision' in run.stdout


def test_classify_prints_the_label():
    run = signalbox('classify', 'What is the derivative of f(x) = x^3?')
    assert run.returncode == 0, run.stderr
    assert 'math' in run.stdout


def test_eval_prints_one_json_object_with_the_figures(tmp_path):
    rows = [('What is the derivative of x^2?', 'math'), ('Who was Julius Caesar?', 'history')]
    path = tmp_path / 'rows.jsonl'
    path.write_text(''.join(json.dumps({'text': text, 'label': label}) + '\n' for text, label in rows))
    run = signalbox('eval', '--task', 'domain', '--file', str(path))
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert 0 <= figures['accuracy'] <= 1 and 'macro_f1' in figures


def test_serve_says_what_is_wrong_with_its_configuration(tmp_path):
    path = tmp_path / 'config.yaml'
    path.write_text('providers: [\n')
    run = signalbox('serve', '--config', str(path), '--port', '0', '--metrics-port', '0')
    assert run.returncode != 0 and 'config.yaml' in run.stderr
