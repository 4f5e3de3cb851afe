import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schema = components["schemas"];
export type Detection = Schema["Detection"];
export type ClassSummary = Schema["ClassSummary"];

/** Kept for this tab alone: another tab, and whoever uses the browser next, must sign in anew. */
const KEPT = "patchbank-key";

export const key = {
  get: (): string => sessionStorage.getItem(KEPT) ?? "",
  set: (value: string): void => sessionStorage.setItem(KEPT, value),
  clear: (): void => sessionStorage.removeItem(KEPT),
};

/** An error that the service answered with, or `unreachable` (status 0) where it did not answer. */
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

interface Answered<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** The service's API, typed by its OpenAPI description. `ask(api.GET("/classes"))` gives the answer or throws `Refused`. */
export class Service {
  readonly api: Client<paths>;

  constructor(private readonly keyAsked: () => void) {
    this.api = createClient<paths>({ baseUrl: location.origin });
    this.api.use({
      onRequest({ request }) {
        if (key.get()) request.headers.set("Authorization", `Bearer ${key.get()}`);
        return request;
      },
    });
  }

  readonly ask = async <T>(asked: Promise<Answered<T>>): Promise<T> => {
    let answer: Answered<T>;
    try {
      answer = await asked;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new Refused(0, "unreachable", "", 2);
    }
    if (answer.data !== undefined) return answer.data;
    throw this.refused(answer.response, answer.error);
  };

  /** A picture of the service (a path with its query). `<img src>` cannot send a key, so it comes as a blob. */
  readonly picture = async (path: string, signal?: AbortSignal): Promise<Blob> => {
    const response = await this.fetched(path, signal);
    return response.blob();
  };

  /** What the typed client cannot read: pictures, files, streams of events. */
  readonly fetched = async (
    path: string,
    signal?: AbortSignal,
    more: Record<string, string> = {},
  ): Promise<Response> => {
    let response: Response;
    try {
      const headers = key.get() ? { ...more, Authorization: `Bearer ${key.get()}` } : more;
      response = await fetch(path, { headers, signal: signal ?? null });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new Refused(0, "unreachable", "", 2);
    }
    if (response.ok) return response;
    throw this.refused(response, await response.json().catch(() => undefined));
  };

  /** Sends a form and tells how much of it has gone, which `fetch` cannot. */
  readonly send = <T>(
    path: string,
    form: FormData,
    onSent?: (share: number) => void,
    signal?: AbortSignal,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", path);
      if (key.get()) request.setRequestHeader("Authorization", `Bearer ${key.get()}`);
      request.upload.onprogress = ({ loaded, total }) => onSent?.(total ? loaded / total : 0);
      request.onabort = () => reject(new DOMException("", "AbortError"));
      request.onerror = () => reject(new Refused(0, "unreachable", "", 2));
      request.onload = () => {
        const told: unknown = parsed(request.responseText);
        if (request.status < 300 && told !== undefined) return resolve(told as T);
        const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" };
        const { status, statusText } = request;
        reject(this.refused(new Response(null, { status, statusText, headers }), told));
      };
      signal?.addEventListener("abort", () => request.abort());
      request.send(form);
    });

  private refused(response: Response, told: unknown): Refused {
    const body = (told as Partial<Schema["ErrorAnswer"]> | undefined)?.error;
    if (response.status === 401) this.keyAsked();
    const wait = Number(response.headers.get("Retry-After")) || 2;
    return new Refused(
      response.status,
      body?.code ?? "unreadable",
      body?.message ?? response.statusText,
      wait,
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
