import { useState } from "preact/hooks";
import { say } from "../words";
import { Region } from "./Region";
import type { Drawing } from "./shapes";

interface Given {
  /** The address of the picture that is drawn on; none: there is no picture yet. */
  src: string | undefined;
  drawing: Drawing | null;
  onChange: (drawing: Drawing | null) => void;
}

/** The region of interest: the whole picture, unless a person draws one. */
export function RegionCard({ src, drawing, onChange }: Given) {
  const [open, setOpen] = useState(false);
  const [size, setSize] = useState<readonly [number, number] | null>(null);
  const [shown, setShown] = useState(true);
  if (!src) return <p class="soft">{say("regionNoPicture")}</p>;
  if (!open) {
    return (
      <div class="actions">
        <button type="button" class="button plain" onClick={() => setOpen(true)}>
          {say("drawRegion")}
        </button>
        <span class="soft">
          {drawing ? say("regionDrawn", { count: drawing.shapes.length }) : say("regionWhole")}
        </span>
      </div>
    );
  }
  if (!shown) return <p class="soft">{say("regionCannot")}</p>;
  if (!size) {
    return (
      <img
        class="sizing"
        src={src}
        alt=""
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
          setSize([naturalWidth, naturalHeight])
        }
        onError={() => setShown(false)}
      />
    );
  }
  return (
    <Region
      src={src}
      size={size}
      shapes={drawing?.shapes ?? []}
      onChange={(shapes) => onChange(shapes.length > 0 ? { shapes, size } : null)}
    />
  );
}
