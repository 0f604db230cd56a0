// Drives an official SDK for Node against a model, and prints what it saw as one JSON object: SDK is openai.chat,
// openai.responses or anthropic; each says something, calls a tool in a stream and answers it, and hears an error.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { SDK, BASE_URL, API_KEY, MODEL, FAILING, SAID, DICTATED, RESULT } = process.env;
const parameters = { type: "object", properties: { city: { type: "string" }, days: { type: "array", items: { type: "integer" } } } };
const tool = { name: "get_weather", description: "The weather of the next days." };

const openai = () => new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
const user = (content) => ({ role: "user", content });

const sdks = {
  "openai.chat": () => {
    const client = openai().chat.completions;
    const tools = [{ type: "function", function: { ...tool, parameters } }];
    const stream = (messages) => client.stream({ model: MODEL, messages, tools }).finalChatCompletion();
    return {
      async say(model) {
        const answer = await client.create({ model, messages: [user(SAID)] });
        return { text: answer.choices[0].message.content, input: answer.usage.prompt_tokens };
      },
      async converse() {
        const called = (await stream([user(DICTATED)])).choices[0];
        const [call] = called.message.tool_calls;
        const result = { role: "tool", tool_call_id: call.id, content: RESULT };
        const { name, arguments: written } = call.function; // the helper adds fields of its own to them
        const said = { role: "assistant", content: null, tool_calls: [{ id: call.id, type: call.type, function: { name, arguments: written } }] };
        const told = (await stream([user(DICTATED), said, result])).choices[0];
        return {
          call: { name, arguments: JSON.parse(written) },
          stops: [called.finish_reason, told.finish_reason],
          told: told.message.content,
        };
      },
    };
  },
  "openai.responses": () => {
    const client = openai().responses;
    const tools = [{ type: "function", strict: false, ...tool, parameters }];
    const stream = (input) => client.stream({ model: MODEL, input, tools, store: false }).finalResponse();
    return {
      async say(model) {
        const answer = await client.create({ model, input: SAID, store: false });
        return { text: answer.output_text, input: answer.usage.input_tokens };
      },
      async converse() {
        const called = await stream([user(DICTATED)]);
        const call = called.output.find((item) => item.type === "function_call");
        const kept = called.output.map(({ parsed_arguments, ...item }) => item).filter((item) => item.type !== "reasoning");
        const result = { type: "function_call_output", call_id: call.call_id, output: RESULT };
        const told = await stream([user(DICTATED), ...kept, result]);
        return {
          call: { name: call.name, arguments: JSON.parse(call.arguments) },
          stops: [called.status, told.status],
          told: told.output_text,
        };
      },
    };
  },
  anthropic: () => {
    const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, authToken: null, maxRetries: 0 }).messages;
    const tools = [{ ...tool, input_schema: parameters }];
    const words = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");
    const stream = (messages) => client.stream({ model: MODEL, max_tokens: 4096, messages, tools }).finalMessage();
    return {
      async say(model) {
        const answer = await client.create({ model, max_tokens: 4096, messages: [user(SAID)] });
        return { text: words(answer), input: answer.usage.input_tokens };
      },
      async converse() {
        const called = await stream([user(DICTATED)]);
        const call = called.content.find((block) => block.type === "tool_use");
        const result = user([{ type: "tool_result", tool_use_id: call.id, content: RESULT }]);
        const told = await stream([user(DICTATED), { role: "assistant", content: called.content }, result]);
        return {
          call: { name: call.name, arguments: call.input },
          stops: [called.stop_reason, told.stop_reason],
          told: words(told),
        };
      },
    };
  },
};

const sdk = sdks[SDK]();
const seen = { said: await sdk.say(MODEL), ...(await sdk.converse()) };
try {
  await sdk.say(FAILING);
} catch (error) {
  seen.error = { kind: error.constructor.name, status: error.status, request: Boolean(error.requestID) };
}
console.log(JSON.stringify(seen));
