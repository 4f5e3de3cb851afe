import type { Detection, Schema, Service } from "../api/service";

export type Comparison = Schema["Comparison"];

/** The verdict on a picture, with its map as 16-bit grey values. */
export async function detect(
  { api, ask }: Service,
  file: File,
  className: string,
  signal: AbortSignal,
): Promise<Detection> {
  const body = form({ file, map_format: "gray16", class_name: className });
  return (await ask(api.POST("/detect", { ...sent(body), signal }))) as Detection; // its types forget how long a box is
}

/** The patch at a place of a picture beside its nearest normal patch. */
export async function nearest(
  { api, ask }: Service,
  file: File,
  className: string,
  version: string,
  [x, y]: readonly [number, number],
  signal: AbortSignal,
): Promise<Comparison> {
  const body = form({ file, class_name: className, version, x: String(x), y: String(y) });
  return (await ask(api.POST("/detect/nearest", { ...sent(body), signal }))) as Comparison;
}

function form(fields: Record<string, string | File>): FormData {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) made.set(name, value, value.name);
    else if (value) made.set(name, value);
  }
  return made;
}

/** The client takes a form as it is: the browser writes it. */
function sent(body: FormData) {
  return { body: body as never, bodySerializer: (it: unknown) => it as never };
}
