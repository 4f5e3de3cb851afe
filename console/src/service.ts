import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Detection = components["schemas"]["Detection"];
export type ClassSummary = components["schemas"]["ClassSummary"];

/** Kept for this tab alone: another tab, and whoever uses the browser next, must sign in anew. */
const KEPT = "patchbank-key";

export const key = {
  get: (): string => sessionStorage.getItem(KEPT) ?? "",
  set: (value: string): void => sessionStorage.setItem(KEPT, value),
  clear: (): void => sessionStorage.removeItem(KEPT),
};

/** An error that the service answered with, or `unreachable` where it did not answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number,
  ) {
    super(message);
  }
}

const client = createClient<paths>({ baseUrl: location.origin });
client.use({
  onRequest({ request }) {
    if (key.get()) request.headers.set("Authorization", `Bearer ${key.get()}`);
    return request;
  },
});

interface Answered<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

async function told<T>(asked: Promise<Answered<T>>): Promise<T> {
  let answer: Answered<T>;
  try {
    answer = await asked;
  } catch {
    throw new Refused(0, "unreachable", "", 2);
  }
  if (answer.data !== undefined) return answer.data;
  const { status, headers, statusText } = answer.response;
  const body = (answer.error as Partial<components["schemas"]["ErrorAnswer"]> | undefined)?.error;
  const wait = Number(headers.get("Retry-After")) || 2;
  throw new Refused(status, body?.code ?? "unreadable", body?.message ?? statusText, wait);
}

export async function classes(): Promise<ClassSummary[]> {
  return (await told(client.GET("/classes"))).classes;
}

/** The verdict on a picture; `withMap` adds the picture with its anomalous pixels coloured. */
export async function detect(file: File, className: string, withMap: boolean): Promise<Detection> {
  const form = new FormData();
  form.set("file", file, file.name);
  form.set("map_format", "overlay");
  form.set("return_map", String(withMap));
  if (className) form.set("class_name", className);
  const asked = client.POST("/detect", { body: form as never, bodySerializer: (body) => body as never });
  return (await told(asked)) as Detection; // the client's types forget how many numbers a box has
}
