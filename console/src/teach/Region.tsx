import { useId, useState } from "preact/hooks";
import { Choice } from "../parts/Choice";
import { say } from "../words";
import { hasArea, type Point, rectangle, type Shape } from "./shapes";

const STEP = 0.01;
const LARGE_STEP = 0.1;
/** So near to the first corner, as a share of the picture, a polygon is closed. */
const CLOSE = 0.02;

const KINDS = { inspect: "regionInspect", ignore: "regionIgnore" } as const;
const TOOLS = { rectangle: "toolRectangle", polygon: "toolPolygon" } as const;

interface Given {
  src: string;
  /** Width and height of the picture in pixels. */
  size: readonly [number, number];
  shapes: readonly Shape[];
  onChange: (shapes: readonly Shape[]) => void;
}

/** Draws what is inspected on a picture: rectangles and polygons, with mouse, finger or keyboard. */
export function Region({ src, size, shapes, onChange }: Given) {
  const [kind, setKind] = useState<keyof typeof KINDS>("inspect");
  const [tool, setTool] = useState<keyof typeof TOOLS>("rectangle");
  const [begun, setBegun] = useState<readonly Point[]>([]);
  const [cursor, setCursor] = useState<Point | null>(null);
  const finish = (points: readonly Point[]) => {
    setBegun([]);
    if (hasArea(points)) onChange([...shapes, { kind, points }]);
  };
  const put = (point: Point) => {
    const [first] = begun;
    if (!first) setBegun([point]);
    else if (tool === "rectangle") finish(rectangle(first, point));
    else if (begun.length > 2 && near(first, point)) finish(begun);
    else setBegun([...begun, point]);
  };
  const back = () => (begun.length > 0 ? setBegun(begun.slice(0, -1)) : onChange(shapes.slice(0, -1)));
  const pressed = (event: KeyboardEvent) => {
    const at = cursor ?? [0.5, 0.5];
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const moves: Record<string, Point> = {
      ArrowLeft: [at[0] - step, at[1]],
      ArrowRight: [at[0] + step, at[1]],
      ArrowUp: [at[0], at[1] - step],
      ArrowDown: [at[0], at[1] + step],
    };
    const to = moves[event.key];
    if (to) setCursor([within(to[0]), within(to[1])]);
    else if (event.key === "Enter" || event.key === " ") put(at);
    else if (event.key === "c" || event.key === "C") finish(begun);
    else if (event.key === "Backspace") back();
    else if (event.key === "Escape" && begun.length > 0) setBegun([]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape would close a window around it
  };
  const down = (event: PointerEvent) => {
    const point = placeOf(event);
    setCursor(point);
    if (tool === "polygon" || begun.length > 0) return put(point);
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    setBegun([point]);
  };
  const up = (event: PointerEvent) => {
    const [first] = begun;
    const point = placeOf(event);
    if (tool === "rectangle" && first && hasArea(rectangle(first, point))) finish(rectangle(first, point));
  };
  const [start] = begun;
  const shown = tool === "rectangle" && start && cursor ? rectangle(start, cursor) : begun;
  return (
    <div class="region">
      <div class="fields">
        <Choice label={say("regionKind")} names={KINDS} value={kind} onChange={setKind} />
        <Choice
          label={say("regionTool")}
          names={TOOLS}
          value={tool}
          onChange={(to) => {
            setBegun([]);
            setTool(to);
          }}
        />
      </div>
      <div
        class="drawing"
        style={{ width: `min(100%, 760px, ${(75 * size[0]) / size[1]}vh)` }}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it is drawn on with the keyboard, too
        tabIndex={0}
        aria-label={say("regionKeys")}
        onKeyDown={pressed}
        onPointerDown={down}
        onPointerMove={(event) => setCursor(placeOf(event))}
        onPointerUp={up}
      >
        <img src={src} alt={say("regionPicture")} draggable={false} />
        <Drawn size={size} shapes={shapes} begun={shown} kind={kind} cursor={cursor} />
      </div>
      <p class="soft" role="status">
        {say("regionKeys")}
        {cursor && ` ${Math.round(cursor[0] * size[0])}, ${Math.round(cursor[1] * size[1])} px.`}
      </p>
      <div class="actions">
        {tool === "polygon" && begun.length > 2 && (
          <button type="button" class="button" onClick={() => finish(begun)}>
            {say("closePolygon")}
          </button>
        )}
        <button
          type="button"
          class="button plain"
          disabled={shapes.length + begun.length === 0}
          onClick={back}
        >
          {say("oneBack")}
        </button>
        <button
          type="button"
          class="button plain"
          disabled={shapes.length === 0}
          onClick={() => onChange([])}
        >
          {say("wholePicture")}
        </button>
      </div>
    </div>
  );
}

interface OnPicture {
  size: readonly [number, number];
  shapes: readonly Shape[];
  begun: readonly Point[];
  kind: Shape["kind"];
  cursor: Point | null;
}

/** What was drawn; what is not inspected is dark. */
function Drawn({ size: [width, height], shapes, begun, kind, cursor }: OnPicture) {
  const hidden = useId();
  const text = (points: readonly Point[]) => points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  const inspected = shapes.filter((shape) => shape.kind === "inspect");
  const ignored = shapes.filter((shape) => shape.kind === "ignore");
  return (
    <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <mask id={hidden}>
        <rect class={inspected.length > 0 ? "dark" : "clear"} width={width} height={height} />
        {inspected.map(({ points }) => (
          <polygon key={text(points)} class="clear" points={text(points)} />
        ))}
        {ignored.map(({ points }) => (
          <polygon key={text(points)} class="dark" points={text(points)} />
        ))}
      </mask>
      <rect class="ignored" width={width} height={height} mask={`url(#${hidden})`} />
      {[...shapes, { kind, points: begun }].map((shape) => (
        <polygon key={text(shape.points)} class={`edge ${shape.kind}`} points={text(shape.points)} />
      ))}
      {begun.map(([x, y]) => (
        <circle key={`${x} ${y}`} class="corner" cx={x * width} cy={y * height} r={width / 120} />
      ))}
      {cursor && (
        <path class="cursor" d={`M${cursor[0] * width} 0V${height}M0 ${cursor[1] * height}H${width}`} />
      )}
    </svg>
  );
}

function within(share: number): number {
  return Math.min(1, Math.max(0, share));
}

function placeOf(event: PointerEvent): Point {
  const { left, top, width, height } = (event.currentTarget as Element).getBoundingClientRect();
  return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
}

function near([x, y]: Point, [otherX, otherY]: Point): boolean {
  return Math.hypot(x - otherX, y - otherY) < CLOSE;
}
