"""Amazon Bedrock's runtime with Anthropic's models: Converse, InvokeModel, and both as streams.

The shapes are those of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and of
botocore's `bedrock-runtime` model. The credentials that are known: access key AKIASANDBOX000000000, secret access key
`sandbox/secret/access/key/for/tests/only/00`, or any bearer API key that begins with `bedrock-api-key-sandbox-`.
"""
