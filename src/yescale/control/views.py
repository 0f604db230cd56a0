"""What the System API shows, field by field (contract, sections 4 and 5): nothing that is not listed here gets out."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class View(BaseModel):
    """A shown value; made from keyword arguments only."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Answer(View, Generic[T]):
    """The envelope of every success."""

    data: T
    message: str = ""
    success: bool = True


class Done(View):
    """The envelope of a success that has nothing to show."""

    message: str = ""
    success: bool = True


class UserView(View):
    """The account behind an access key. `quota` counts 1/500,000 of a US dollar."""

    access_token: str
    display_name: str
    email: str
    quota: int
    used_quota: int
    request_count: int
    role: int
    telegram_id: str
    username: str


class KeyView(View):
    """One API key, masked."""

    id: int
    user_id: int
    key: str
    name: str
    status: int
    group: str
    remain_quota: int
    used_quota: int
    unlimited_quota: bool
    expired_time: int
    created_time: int
    accessed_time: int
    model_limits_enabled: bool
    model_limits: str
    allow_ips: str
    DeletedAt: str | None


class NewKeyView(KeyView):
    """A key just made: `full_key` is shown this once and never again."""

    full_key: str


class LogView(View):
    """One row of the log. `other` is JSON as text."""

    id: int
    user_id: int
    created_at: int
    type: int
    content: str
    username: str
    token_name: str
    token_id: int
    model_name: str
    quota: int
    prompt_tokens: int
    completion_tokens: int
    use_time: int
    is_stream: bool
    channel: int
    channel_name: str
    group: str
    ip: str
    request_id: str
    other: str


class LogPage(View):
    """One page of the log, newest first."""

    items: list[LogView]
    total: int
    page: int
    page_size: int


class TaskView(View):
    """One media task."""

    id: int
    created_at: int
    updated_at: int
    task_id: str
    platform: str
    user_id: int
    channel_id: int
    quota: int
    action: str
    status: str
    fail_reason: str
    submit_time: int
    start_time: int
    finish_time: int
    progress: str
    properties: dict[str, object]
    data: object
    group: str
    result_url: str
    username: str


class ModelView(View):
    """One model of the catalogue. Token prices are US dollars per million, before the group ratio."""

    id: int
    model_name: str
    provider_name: str
    provider_logo: str
    category: str
    endpoint: str
    docs: str
    billing_type: str
    price_per_request: str | None
    input_price: float | None
    output_price: float | None
    group_name: str
    group_ratio: float
    saving: float
    saving_details: str
    uptime: int
    is_deprecation: int
    is_hot: int
    is_image: int
    is_web_access: int
    quality_api: float
    avg_time_low: float
    avg_time_normal: float
    avg_time_high: float
    throughput: float | None
    max_input: int | None
    max_output: int | None
    knowledge_cutoff: str | None
    release_date: str | None
    updated_at: str | None
    alternative_info: str | None
    notes: str
    created_at: str


class UsageView(View):
    """What was used under one heading. `id`: of a key; `failed`: requests that were served nothing and cost nothing."""

    group: str
    id: int | None = None
    quota: int
    requests: int
    failed: int
    amount_nano: int
    refunded_nano: int
    prompt_tokens: int
    completion_tokens: int


class QuoteLineView(View):
    """One explained amount: quantity x price / per x ratio. `unit`: what the price is for, in words; `when`: the
    conditions under which it holds, if it has any.
    """

    meter: str
    quantity: int
    per: int
    unit: str
    when: str
    price_usd: str
    price_nano: int
    ratio: str
    amount_nano: int


class QuoteView(View):
    """What a usage would cost; where `exact` is false, the most that a call can cost."""

    model: str
    group: str
    exact: bool
    quota: int
    amount_nano: int
    amount_usd: str
    lines: list[QuoteLineView]


Text = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")]


class SubscriptionView(View):
    """What OpenAI's dashboard calls a subscription."""

    object: str = "billing_subscription"
    has_payment_method: bool = True
    soft_limit_usd: float
    hard_limit_usd: float
    system_hard_limit_usd: float
    access_until: int


class TotalView(View):
    """What OpenAI's dashboard calls usage: US cents."""

    object: str = "list"
    total_usage: float


class DeletedView(View):
    """What OpenAI says of something that was deleted."""

    id: str
    object: str
    deleted: bool
