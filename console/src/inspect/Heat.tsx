import { useEffect, useRef } from "preact/hooks";
import type { Size } from "./look";
import type { Maps } from "./maps";

interface Given {
  maps: Maps;
  /** Of the map: what is painted again under the same name is not read again. */
  name: string;
  map: Blob;
  cut: number;
  onlyAbove: boolean;
  opacity: number;
  onPainted: (size: Size, share: number) => void;
  onFailure: (message: string) => void;
}

/** An anomaly map in colours, for laying it over its picture. */
export function Heat({ maps, name, map, cut, onlyAbove, opacity, onPainted, onFailure }: Given) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let wanted = true;
    maps.paint({ name, png: map, cut, onlyAbove }).then(
      (painted) => {
        if (!painted) return;
        const { bitmap, share } = painted;
        if (!wanted || !canvas.current) {
          bitmap.close();
          return;
        }
        const { width, height } = bitmap;
        canvas.current.width = width;
        canvas.current.height = height;
        canvas.current.getContext("bitmaprenderer")?.transferFromImageBitmap(bitmap);
        onPainted([width, height], share);
      },
      (error: Error) => wanted && onFailure(error.message),
    );
    return () => {
      wanted = false;
    };
  }, [maps, name, map, cut, onlyAbove]);
  return <canvas ref={canvas} class="heat" style={{ opacity }} />;
}
