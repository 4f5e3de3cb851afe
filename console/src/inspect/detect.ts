import type { Detection, Service } from "../api/service";

/** The verdict on a picture; `withMap` adds the picture with its anomalous pixels coloured. */
export async function detect(
  { api, ask }: Service,
  file: File,
  className: string,
  withMap: boolean,
): Promise<Detection> {
  const form = new FormData();
  form.set("file", file, file.name);
  form.set("map_format", "overlay");
  form.set("return_map", String(withMap));
  if (className) form.set("class_name", className);
  const asked = api.POST("/detect", { body: form as never, bodySerializer: (body) => body as never });
  return (await ask(asked)) as Detection; // the client's types forget how many numbers a box has
}
