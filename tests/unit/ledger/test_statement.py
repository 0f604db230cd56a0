"""Providers' exports as they come: which form a file has, and what its lines say."""

import json

import pytest

from yescale.ledger.statement import Served, UnreadableStatement, read_statement

BUCKET = {"object": "bucket", "start_time": 1_730_419_200, "end_time": 1_730_505_600}
RESULT = {
    "object": "organization.usage.completions.result",
    "input_tokens": 1_000,
    "output_tokens": 500,
    "input_cached_tokens": 800,
    "num_model_requests": 5,
    "model": "gpt-4o-2024-08-06",
}
DAY = Served(
    model="gpt-4o-2024-08-06",
    requests=5,
    prompt=1_000,
    completion=500,
    start_ms=1_730_419_200_000,
    end_ms=1_730_505_600_000,
)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"object": "page", "data": [{**BUCKET, "results": [RESULT]}], "has_more": False}),
        json.dumps({**BUCKET, "results": [RESULT]}) + "\n",
        json.dumps([{**BUCKET, **RESULT}]),
        "start_time,end_time,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens\n"
        "1730419200,1730505600,5,gpt-4o-2024-08-06,1000,500,800\n",
    ],
    ids=["page", "lines", "list", "dashboard"],
)
def test_openai_counts_by_model_and_time(text: str) -> None:
    assert read_statement(text) == [DAY]
    assert read_statement("\ufeff" + text) == [DAY]


def test_anthropic_counts_cached_tokens_apart() -> None:
    result = {
        "model": "claude-opus-4-1-20250805",
        "uncached_input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4_000},
        "output_tokens": 7,
    }
    times = {"starting_at": "2025-08-01T00:00:00Z", "ending_at": "2025-08-02T00:00:00Z"}
    (line,) = read_statement(json.dumps({"data": [{**times, "results": [result]}]}))
    assert (line.prompt, line.completion, line.end_ms - line.start_ms) == (4_240, 7, 86_400_000)
    (same,) = read_statement(
        "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
        "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
        "2025-08-01,claude-opus-4-1-20250805,10,30,4000,200,7\n"
    )
    assert same == line


def test_the_sandbox_names_calls_by_our_id_and_what_served_nothing_is_left_out() -> None:
    request = {
        "at": 1_700_000_000.5,
        "model": "gpt-4o",
        "headers": {"x-client-request-id": "call-1"},
        "raw_sha256": "",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    text = json.dumps({"requests": [request, {**request, "usage": None}], "last": 2})
    assert read_statement(text) == [
        Served(
            id="call-1", model="gpt-4o", prompt=3, completion=4, start_ms=1_700_000_000_500, end_ms=1_700_000_000_500
        )
    ]


def test_a_record_by_request_may_say_what_it_cost() -> None:
    text = "request_id,model,prompt_tokens,completion_tokens,cost_usd,at\na,m,1,2,0.000000003,2025-08-01T00:00:00\n"
    (line,) = read_statement(text)
    assert (line.id, line.cost, line.start_ms) == ("a", 3, 1_754_006_400_000)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "[1]",
        '{"num_model_requests": 1, "model": "m", "input_tokens": -1, "output_tokens": 0}',
        '{"num_model_requests": 1, "model": "m", "input_tokens": 1.5, "output_tokens": 0}',
        '{"num_model_requests": 1, "model": "m", "input_tokens": 1, "start_time": "yesterday"}',
        '{"request_id": "a", "prompt_tokens": 1, "cost_usd": "much"}',
        "{broken",
        '{"num_model_requests": true, "input_tokens": 1}',
    ],
)
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(UnreadableStatement):
        read_statement(text)


def test_an_empty_file_has_no_lines() -> None:
    assert read_statement("") == read_statement("[]") == read_statement("request_id,model\n") == []
