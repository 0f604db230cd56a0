"""Chat of Volcengine's Ark, where DeepSeek's models are served too (https://www.volcengine.com/docs/82379/1494384)."""
