import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { percent, say } from "../words";
import { isInside, type Look, moved, nearer, type Point, pointAt, type Size, whole } from "./look";
import { useGestures } from "./useGestures";
import "./viewer.css";

interface Given {
  size: Size;
  /** What is shown: layers as large as the picture. */
  children: ComponentChildren;
  label: string;
  /** A point of the picture to bring to the middle. */
  target: Point | null;
  onPick: (point: Point) => void;
}

const STEP = 1.4;
const WAY = 48;
const COARSE = 3;

/** A picture to zoom and move, by wheel, fingers, keys and buttons; a click, or Enter for the middle, picks a point. */
export function Viewer({ size, children, label, target, onPick }: Given) {
  const frame = useRef<HTMLDivElement>(null);
  const [screen, setScreen] = useState<Size>([0, 0]);
  const [look, setLook] = useState<Look | null>(null); // null: the whole picture
  useLayoutEffect(() => {
    const element = frame.current as HTMLDivElement;
    const measure = () => setScreen([element.clientWidth, element.clientHeight]);
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    measure();
    return () => watch.disconnect();
  }, []);
  const seen = look ?? whole(size, screen);
  useEffect(() => {
    if (target && look) setLook({ ...look, x: target[0], y: target[1] });
  }, [target]);
  const zoom = (factor: number, at: Point = [0, 0]) =>
    setLook((before) => nearer(before ?? whole(size, screen), factor, at, size, screen));
  const move = (by: Point) => setLook((before) => moved(before ?? whole(size, screen), by, size));
  const pick = (at: Point) => {
    const [x, y] = pointAt(seen, at);
    if (isInside([x, y], size)) onPick([Math.floor(x), Math.floor(y)]);
  };
  const oneToOne = () => zoom(1 / seen.scale);
  useGestures(frame, { onZoom: zoom, onMove: move, onPick: pick });
  const keys: Record<string, () => void> = {
    "+": () => zoom(STEP),
    "=": () => zoom(STEP),
    "-": () => zoom(1 / STEP),
    "0": () => setLook(null),
    "1": oneToOne,
    ArrowLeft: () => move([-WAY, 0]),
    ArrowRight: () => move([WAY, 0]),
    ArrowUp: () => move([0, -WAY]),
    ArrowDown: () => move([0, WAY]),
    Enter: () => pick([0, 0]),
    " ": () => pick([0, 0]),
  };
  const press = (event: KeyboardEvent) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  };
  const [width, height] = size;
  const stage = {
    width,
    height,
    "--pixel": `${1 / seen.scale}px`,
    transform: `translate(${screen[0] / 2 - seen.x * seen.scale}px, ${screen[1] / 2 - seen.y * seen.scale}px) scale(${seen.scale})`,
  };
  return (
    <div class="viewer">
      <div
        ref={frame}
        class={`frame ${look ? "near" : ""} ${seen.scale >= COARSE ? "coarse" : ""}`}
        style={{ aspectRatio: `${width} / ${height}` }}
        role="application"
        aria-label={label}
        aria-describedby="viewer-keys"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys of its own
        tabIndex={0}
        onKeyDown={press}
      >
        <div class="stage" style={stage}>
          {children}
        </div>
        <span class="cross" aria-hidden="true" />
      </div>
      <div class="tools">
        <button type="button" class="button plain" aria-label={say("zoomOut")} onClick={() => zoom(1 / STEP)}>
          −
        </button>
        <output class="scale" aria-label={say("zoom")}>
          {percent(seen.scale, 3)}
        </output>
        <button type="button" class="button plain" aria-label={say("zoomIn")} onClick={() => zoom(STEP)}>
          +
        </button>
        <button type="button" class="button plain" onClick={() => setLook(null)}>
          {say("fitPicture")}
        </button>
        <button type="button" class="button plain" onClick={oneToOne}>
          {say("oneToOne")}
        </button>
        <span class="keys" id="viewer-keys">
          {say("viewerKeys")}
        </span>
      </div>
    </div>
  );
}
