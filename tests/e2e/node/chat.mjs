// Drives the official OpenAI SDK for Node against a base URL and prints what it saw as one JSON object.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const seen = {};

const whole = await client.chat.completions.create({ model: "gpt-4o", messages });
seen.text = whole.choices[0].message.content;
seen.usage = whole.usage;

seen.streamed = "";
seen.usageChunks = 0;
for await (const chunk of await client.chat.completions.create({ model: "gpt-4o", messages, stream: true })) {
  seen.streamed += chunk.choices[0]?.delta?.content ?? "";
  seen.usageChunks += chunk.choices.length === 0 ? 1 : 0;
}

seen.usageWhenAsked = null;
const options = { stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create({ model: "gpt-4o", messages, ...options })) {
  if (chunk.choices.length === 0) seen.usageWhenAsked = chunk.usage;
}

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "get_weather", parameters, strict: true } }];
const called = await client.chat.completions.create({ model: "gpt-4o", messages, tools, tool_choice: "required" });
const call = called.choices[0].message.tool_calls[0];
seen.tool = { name: call.function.name, city: JSON.parse(call.function.arguments).city };
const runner = client.chat.completions.stream({ model: "gpt-4o", messages, tools, tool_choice: "required" });
seen.streamedArguments = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments;
seen.arguments = call.function.arguments;
const answered = await client.chat.completions.create({
  model: "gpt-4o",
  tools,
  messages: [...messages, called.choices[0].message, { role: "tool", tool_call_id: call.id, content: "31 degrees" }],
});
seen.afterTool = answered.choices[0].message.content;

seen.choices = (await client.chat.completions.create({ model: "gpt-4o", messages, n: 3 })).choices.length;

const json_schema = { name: "city", strict: true, schema: parameters };
const structured = await client.chat.completions.create({
  model: "gpt-4o",
  messages,
  response_format: { type: "json_schema", json_schema },
});
seen.structured = JSON.parse(structured.choices[0].message.content);

seen.embedding = (await client.embeddings.create({ model: "text-embedding-3-small", input: "one" })).data[0].embedding.length;
seen.models = (await client.models.list()).data.map((model) => model.id);

seen.errors = {};
for (const model of ["gpt-99", "gpt-4o+400", "gpt-4o+429", "gpt-4o+500"]) {
  try {
    await client.chat.completions.create({ model, messages });
  } catch (error) {
    seen.errors[model] = { kind: error.constructor.name, status: error.status, request: Boolean(error.requestID) };
  }
}
try {
  for await (const _ of await client.chat.completions.create({ model: "gpt-4o+cut-3", messages, stream: true })) { /* read on */ }
  seen.cut = "ended cleanly";
} catch (error) {
  seen.cut = "failed";
}
try {
  await new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "sk-wrong", maxRetries: 0 }).models.list();
} catch (error) {
  seen.errors.key = { kind: error.constructor.name, status: error.status, request: Boolean(error.requestID) };
}
console.log(JSON.stringify(seen));
