/** An anomaly map as 16-bit grey values, row by row, as large as its picture. */
export interface GreyMap {
  readonly width: number;
  readonly height: number;
  readonly values: Uint16Array;
}

/** Eight colours from matplotlib's "inferno" map (CC0), as in the service's own heatmaps: lightness rises evenly. */
const ANCHORS = [
  [0, 0, 4],
  [40, 11, 84],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 164],
] as const;
const OUTLINE = 0xff_ff_ff_00; // cyan, as in the service's overlays; bytes are alpha, blue, green, red
const GREYS = 65_536;
const SCREEN = 900;
const CLEAR = 0.2; // of the scale: what is ordinary does not veil the picture
const OPAQUE = 0.6;

/** Colours a map for laying it over its picture: from clear at low scores over mid-scale at `cut` to twice that, and a line
 * round the pixels above `cut`. `onlyAbove` leaves all others clear. Gives the share of inspected pixels above. */
export function paint(map: GreyMap, cut: number, onlyAbove: boolean, target: Uint32Array): number {
  const { width, height, values } = map;
  const colours = table(cut, onlyAbove);
  let above = 0;
  let inspected = 0;
  for (let place = 0; place < values.length; place++) {
    const value = values[place] as number;
    target[place] = colours[value] as number;
    if (value > 0) inspected++; // 0: nothing is inspected there
    if (value > cut) above++;
  }
  if (above > 0) outline(width, height, values, cut, target);
  return inspected > 0 ? above / inspected : 0;
}

/** A line on the inner side of the edge, thick enough to be seen where the whole picture fills the screen. */
function outline(width: number, height: number, values: Uint16Array, cut: number, target: Uint32Array): void {
  const thick = Math.max(1, Math.round(Math.max(width, height) / SCREEN));
  const below = (place: number) => (values[place] as number) <= cut;
  for (let y = 0, place = 0; y < height; y++) {
    for (let x = 0; x < width; x++, place++) {
      if (below(place)) continue;
      if (
        (x >= thick && below(place - thick)) ||
        (x + thick < width && below(place + thick)) ||
        (y >= thick && below(place - thick * width)) ||
        (y + thick < height && below(place + thick * width))
      )
        target[place] = OUTLINE;
    }
  }
}

/** The colour of each grey value. */
function table(cut: number, onlyAbove: boolean): Uint32Array {
  const colours = new Uint32Array(GREYS);
  const last = ANCHORS.length - 1;
  for (let value = 1; value < GREYS; value++) {
    if (onlyAbove && value <= cut) continue;
    const level = Math.min(1, value / Math.max(1, 2 * cut));
    const place = Math.min(last - 1, Math.floor(level * last));
    const rest = level * last - place;
    const [low, high] = [ANCHORS[place], ANCHORS[place + 1]] as [readonly number[], readonly number[]];
    const [red, green, blue] = [0, 1, 2].map((band) =>
      Math.round((low[band] as number) * (1 - rest) + (high[band] as number) * rest),
    ) as [number, number, number];
    const alpha = Math.round(255 * Math.min(1, Math.max(0, (level - CLEAR) / (OPAQUE - CLEAR))));
    colours[value] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return colours;
}
