"""The official client library against Signalbox: what it parses, retries and raises."""

import openai
import pytest

QUESTION = [{'role': 'user', 'content': 'What is the derivative of f(x) = x^3?'}]
WEATHER = [{'type': 'function', 'function': {
    'name': 'get_weather', 'description': 'The weather somewhere',
    'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}}}]


@pytest.fixture
def client(demo):
    return openai.OpenAI(base_url=f'http://127.0.0.1:{demo.port}/v1', api_key='unused', max_retries=0, timeout=60)


def test_chat(client):
    answer = client.chat.completions.create(model='MoM', messages=QUESTION)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == 'stop'
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_headers_are_visible_to_the_client(client):
    raw = client.chat.completions.with_raw_response.create(model='MoM', messages=QUESTION)
    assert raw.headers['x-vsr-selected-decision'] == 'math_decision'
    assert raw.parse().choices


def test_a_stream_with_usage(client):
    stream = client.chat.completions.create(model='MoM', messages=QUESTION, stream=True,
                                            stream_options={'include_usage': True})
    text, usage = '', None
    for part in stream:
        if part.choices and part.choices[0].delta.content:
            text += part.choices[0].delta.content
        usage = part.usage or usage
    assert text and usage.completion_tokens > 0


def test_a_stream_given_up_half_way_leaves_the_server_well(client):
    stream = client.chat.completions.create(model='MoM', messages=QUESTION, stream=True)
    next(iter(stream))
    stream.close()
    assert client.models.list().data


def test_tools(client):
    answer = client.chat.completions.create(model='base-model', messages=[{'role': 'user', 'content': 'Weather in Rome?'}],
                                            tools=WEATHER, tool_choice='required')
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == 'get_weather'
    assert answer.choices[0].finish_reason == 'tool_calls'
    follow_up = client.chat.completions.create(model='base-model', tools=WEATHER, messages=[
        {'role': 'user', 'content': 'Weather in Rome?'}, answer.choices[0].message.model_dump(exclude_none=True),
        {'role': 'tool', 'tool_call_id': call.id, 'content': 'sunny'}])
    assert follow_up.choices[0].message.content


def test_tools_in_a_stream(client):
    stream = client.chat.completions.create(model='base-model', messages=[{'role': 'user', 'content': 'Weather in Rome?'}],
                                            tools=WEATHER, tool_choice='required', stream=True)
    calls = [call for part in stream for choice in part.choices for call in choice.delta.tool_calls or []]
    assert calls[0].function.name == 'get_weather'


def test_the_model_list(client):
    names = [model.id for model in client.models.list().data]
    assert 'MoM' in names and 'math-expert' in names


def test_legacy_completions(client):
    answer = client.completions.create(model='base-model', prompt='Once upon a time', max_tokens=8)
    assert answer.choices[0].text


def test_embeddings_go_to_the_engine_that_serves_the_model(client):
    answer = client.embeddings.create(model='base-model', input='hello', encoding_format='float')
    assert len(answer.data[0].embedding) > 0


def test_responses(client):
    answer = client.responses.create(model='base-model', input='Say hello.')
    assert answer.output_text


def test_an_unknown_model_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model='no-such-model', messages=QUESTION)
    assert caught.value.code == 'model_not_found'
    assert caught.value.response.headers['x-request-id']


def test_a_bad_request_raises_bad_request(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model='MoM', messages='not a list')
    assert caught.value.type == 'invalid_request_error'


def test_an_error_of_the_engine_is_passed_on(client):
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model='base-model', messages=QUESTION, extra_headers={'x-sim-status': '500'})
