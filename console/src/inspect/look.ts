/** How a picture is looked at: `scale` screen pixels a picture's pixel, and the picture's point in the middle. */
export interface Look {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}
export type Size = readonly [width: number, height: number];
export type Point = readonly [x: number, y: number];

const LARGEST = 32;

/** The whole picture, as large as it can be. */
export function whole(picture: Size, screen: Size): Look {
  const scale = Math.min(screen[0] / picture[0], screen[1] / picture[1]);
  return { scale: Math.max(scale, 1e-6), x: picture[0] / 2, y: picture[1] / 2 };
}

/** Nearer by `factor`; the picture's point under `at` (screen pixels from the middle) stays there. */
export function nearer(look: Look, factor: number, at: Point, picture: Size, screen: Size): Look {
  const least = Math.min(1, whole(picture, screen).scale);
  const scale = Math.min(LARGEST, Math.max(least, look.scale * factor));
  const [x, y] = pointAt(look, at);
  return inside({ scale, x: x - at[0] / scale, y: y - at[1] / scale }, picture);
}

/** Moved by so many screen pixels. */
export function moved(look: Look, by: Point, picture: Size): Look {
  return inside({ ...look, x: look.x + by[0] / look.scale, y: look.y + by[1] / look.scale }, picture);
}

/** The picture's point under `at`, screen pixels from the middle. */
export function pointAt(look: Look, at: Point): Point {
  return [look.x + at[0] / look.scale, look.y + at[1] / look.scale];
}

export function isInside([x, y]: Point, [width, height]: Size): boolean {
  return x >= 0 && y >= 0 && x < width && y < height;
}

/** The middle of the screen always shows a point of the picture, so that the keyboard reaches each. */
function inside(look: Look, [width, height]: Size): Look {
  const within = (place: number, length: number) => Math.min(Math.max(place, 0), length - 0.001);
  return { ...look, x: within(look.x, width), y: within(look.y, height) };
}
