/** A place in a picture, as shares of its width and height. */
export type Point = readonly [x: number, y: number];

/** A polygon that a person drew: what is to be inspected, or what is not. */
export interface Shape {
  readonly kind: "inspect" | "ignore";
  readonly points: readonly Point[];
}

/** What was drawn on a picture of this width and height in pixels. */
export interface Drawing {
  readonly shapes: readonly Shape[];
  readonly size: readonly [number, number];
}

/** The corners of the rectangle between two opposite ones. */
export function rectangle([left, top]: Point, [right, bottom]: Point): Point[] {
  return [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
}

/** Whether it covers anything: a line and a point do not. */
export function hasArea(points: readonly Point[]): boolean {
  let twice = 0;
  points.forEach(([x, y], index) => {
    const [nextX, nextY] = points[(index + 1) % points.length] ?? [x, y];
    twice += x * nextY - nextX * y;
  });
  return points.length > 2 && Math.abs(twice) > 1e-4;
}

/** Most pixels a side: the service keeps no finer mask. */
const MOST = 1024;

/** The mask that the service takes: white is inspected. What is drawn to be inspected is, else everything; what is drawn
 * to be ignored is not. */
export function maskOf({ shapes, size: [width, height] }: Drawing): Promise<Blob> {
  const shrunk = Math.min(1, MOST / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * shrunk));
  canvas.height = Math.max(1, Math.round(height * shrunk));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws nothing");
  const draw = (points: readonly Point[], colour: string) => {
    context.fillStyle = colour;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * canvas.width, y * canvas.height);
    context.fill();
  };
  const inspected = shapes.filter(({ kind }) => kind === "inspect");
  context.fillStyle = inspected.length > 0 ? "black" : "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const { points } of inspected) draw(points, "white");
  for (const { kind, points } of shapes) if (kind === "ignore") draw(points, "black");
  return new Promise((give, fail) =>
    canvas.toBlob((blob) => (blob ? give(blob) : fail(new Error("the mask cannot be made"))), "image/png"),
  );
}
