export interface ServerEvent {
  /** Empty where the event has none. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** The events of an answer as they come; null for whatever else shows that the connection is alive. Ends with it.
 * `EventSource` can send no key, so the stream is read by fetch. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent | null> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let event = { id: "", name: "message", data: [] as string[] };
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      yield null;
      const lines = (held + read.value).split(/\r\n|\n|\r/);
      held = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (event.data.length > 0) yield { id: event.id, name: event.name, data: event.data.join("\n") };
          event = { id: "", name: "message", data: [] };
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "id") event.id = value;
        else if (field === "event") event.name = value;
        else if (field === "data") event.data.push(value);
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
