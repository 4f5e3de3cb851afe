import { useEffect, useRef, useState } from "preact/hooks";

const SIDE = 96;

interface Given {
  file: File;
  thumbs: Thumbs;
}

/** A small copy of a picture, made when it comes into sight. */
export function Thumb({ file, thumbs }: Given) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [cannot, setCannot] = useState(false);
  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    let there = true;
    const watch = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        watch.disconnect();
        thumbs
          .of(file, () => there)
          .then((small) => {
            if (!there || small === undefined) return;
            if (small) draw(small, element);
            else setCannot(true);
          });
      },
      { rootMargin: "200px" },
    );
    watch.observe(element);
    return () => {
      there = false;
      watch.disconnect();
    };
  }, [file, thumbs]);
  return <canvas ref={canvas} class={`smallcopy ${cannot ? "cannot" : ""}`} width={SIDE} height={SIDE} />;
}

/** As large as the square takes it whole. */
function draw(small: ImageBitmap, on: HTMLCanvasElement): void {
  const scale = SIDE / Math.max(small.width, small.height);
  const [width, height] = [small.width * scale, small.height * scale];
  on.getContext("2d")?.drawImage(small, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}

/** Makes small copies of pictures, two at a time; the browser decodes them beside the page's own thread. */
export class Thumbs {
  private readonly made = new WeakMap<File, ImageBitmap | null>();
  private readonly turns: (() => void)[] = [];
  private free = 2;

  /** Null where this browser cannot read the file; undefined if it is not `wanted` any more when its turn comes. */
  async of(file: File, wanted: () => boolean): Promise<ImageBitmap | null | undefined> {
    const held = this.made.get(file);
    if (held !== undefined) return held;
    if (this.free > 0) this.free--;
    else await new Promise<void>((go) => this.turns.push(go));
    try {
      if (!wanted()) return undefined;
      const small = await smallCopy(file);
      this.made.set(file, small);
      return small;
    } finally {
      const next = this.turns.shift();
      if (next) next();
      else this.free++;
    }
  }
}

async function smallCopy(file: File): Promise<ImageBitmap | null> {
  try {
    return await createImageBitmap(file, { resizeWidth: SIDE, resizeQuality: "medium" });
  } catch {
    return null;
  }
}
