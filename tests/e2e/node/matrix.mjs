// Drives an official SDK for Node: reads a question a line, in words of no SDK, and prints what it understood of the
// answer as one line. SDK is openai chat, openai responses or anthropic.
import readline from "node:readline";

const { SDK, BASE_URL, API_KEY } = process.env;
const { pixel, tool, told, weather, person } = JSON.parse(process.env.GIVEN);
const image = `data:image/png;base64,${pixel}`;
const earlier = (asked) => [...(asked.after?.turns ?? [])];
const answered = (asked, result) => (asked.after?.calls ?? []).map((call) => result(call, asked.result));
const without = (value, ...names) => Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
const joined = (parts) => parts.map((part) => part ?? "").join("");

async function openai() {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 });
}

const sdks = {
  async "openai chat"() {
    const client = (await openai()).chat.completions;
    const result = (call, content) => ({ role: "tool", tool_call_id: call.id, content });
    return async (asked) => {
      const messages = [...earlier(asked), ...answered(asked, result)];
      const shown = asked.image ? [{ type: "image_url", image_url: { url: image } }] : [];
      if (asked.text) messages.push({ role: "user", content: [{ type: "text", text: asked.text }, ...shown] });
      const wanted = { model: asked.model, messages };
      const parameters = { name: tool, description: told, parameters: weather, strict: true };
      if (asked.tool) wanted.tools = [{ type: "function", function: parameters }];
      const json_schema = { name: "person", strict: true, schema: person };
      if (asked.schema) wanted.response_format = { type: "json_schema", json_schema };
      if (asked.thinks) wanted.reasoning_effort = "low";
      let pieces = 0;
      let thoughts = "";
      let answer;
      if (asked.stream) {
        const stream = client.stream({ ...wanted, stream_options: { include_usage: true } });
        stream.on("content", () => pieces++);
        // Beside the SDK's own fields its helper keeps the last piece only.
        stream.on("chunk", (chunk) => (thoughts += chunk.choices[0]?.delta?.reasoning_content ?? ""));
        answer = await stream.finalChatCompletion();
      } else {
        answer = await client.create(wanted);
        thoughts = answer.choices[0].message.reasoning_content ?? "";
      }
      const { message } = answer.choices[0];
      const calls = (message.tool_calls ?? []).map((call) => ({ ...call, function: without(call.function, "parsed_arguments") }));
      const said = { role: "assistant", content: message.content, ...(thoughts && { reasoning_content: thoughts }) };
      for (const name of ["reasoning_details", "annotations"]) if (message[name]) said[name] = message[name];
      return {
        text: message.content ?? "",
        thoughts,
        calls: calls.map((call) => ({ id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) })),
        prompt: answer.usage.prompt_tokens,
        completion: answer.usage.completion_tokens,
        pieces,
        turns: [...messages, { ...said, ...(calls.length && { tool_calls: calls }) }],
      };
    };
  },
  async "openai responses"() {
    const client = (await openai()).responses;
    const result = (call, output) => ({ type: "function_call_output", call_id: call.id, output });
    return async (asked) => {
      const input = [...earlier(asked), ...answered(asked, result)];
      const shown = asked.image ? [{ type: "input_image", image_url: image, detail: "auto" }] : [];
      if (asked.text) input.push({ role: "user", content: [{ type: "input_text", text: asked.text }, ...shown] });
      const wanted = { model: asked.model, input, store: false };
      if (asked.tool) wanted.tools = [{ type: "function", name: tool, description: told, parameters: weather, strict: true }];
      if (asked.schema) wanted.text = { format: { type: "json_schema", name: "person", strict: true, schema: person } };
      if (asked.thinks) wanted.reasoning = { effort: "low", summary: "auto" };
      if (asked.thinks) wanted.include = ["reasoning.encrypted_content"];
      let pieces = 0;
      let answer;
      if (asked.stream) {
        const stream = client.stream(wanted);
        stream.on("response.output_text.delta", () => pieces++);
        answer = await stream.finalResponse();
      } else {
        answer = await client.create(wanted);
      }
      const items = answer.output.map((item) => {
        const kept = without(item, "parsed_arguments");
        return item.type === "message" ? { ...kept, content: item.content.map((part) => without(part, "parsed")) } : kept;
      });
      const thoughts = items.filter((item) => item.type === "reasoning").flatMap((item) => item.summary ?? []);
      return {
        text: answer.output_text,
        thoughts: joined(thoughts.map((part) => part.text)),
        calls: items
          .filter((item) => item.type === "function_call")
          .map((item) => ({ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) })),
        prompt: answer.usage.input_tokens,
        completion: answer.usage.output_tokens,
        pieces,
        turns: [...input, ...items],
      };
    };
  },
  async anthropic() {
    const { default: Anthropic } = await import("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, authToken: null, maxRetries: 0 }).messages;
    const source = { type: "base64", media_type: "image/png", data: pixel };
    const result = (call, content) => ({ type: "tool_result", tool_use_id: call.id, content });
    return async (asked) => {
      const content = answered(asked, result);
      if (asked.image) content.push({ type: "image", source });
      if (asked.text) content.push({ type: "text", text: asked.text });
      const messages = [...earlier(asked), { role: "user", content }];
      const wanted = { model: asked.model, max_tokens: 16_000, messages };
      if (asked.tool) wanted.tools = [{ name: tool, description: told, input_schema: weather }];
      if (asked.schema) wanted.output_config = { format: { type: "json_schema", schema: person } };
      if (asked.thinks) wanted.thinking = { type: "enabled", budget_tokens: 1024 };
      let pieces = 0;
      let answer;
      if (asked.stream) {
        const stream = client.stream(wanted);
        stream.on("text", () => pieces++);
        answer = await stream.finalMessage();
      } else {
        answer = await client.create(wanted);
      }
      const blocks = answer.content.map((block) => without(block, "parsed_output"));
      const of = (type) => blocks.filter((block) => block.type === type);
      const { usage } = answer;
      return {
        text: joined(of("text").map((block) => block.text)),
        thoughts: joined(of("thinking").map((block) => block.thinking)),
        calls: of("tool_use").map((block) => ({ id: block.id, name: block.name, arguments: block.input })),
        prompt: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
        completion: usage.output_tokens,
        pieces,
        turns: [...messages, { role: "assistant", content: blocks }],
      };
    };
  },
};

const ask = await sdks[SDK]();
for await (const line of readline.createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await ask(JSON.parse(line));
  } catch (error) {
    said = { error: { kind: error.constructor.name, status: error.status ?? null, message: error.message } };
  }
  console.log(JSON.stringify(said));
}
