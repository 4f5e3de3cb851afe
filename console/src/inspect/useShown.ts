import { useEffect, useState } from "preact/hooks";
import { usePicture } from "../api/loaded";
import { useFileUrl } from "../parts/useFileUrl";
import type { Item } from "./item";
import type { Size } from "./look";

export interface Shown {
  /** Null while it is loaded, and where it cannot be had. */
  readonly image: HTMLImageElement | null;
  /** Of the picture itself, also where the image is a smaller copy. */
  readonly size: Size | null;
  /** Where this browser does not know the file's format: whether a copy that the service keeps is shown instead. */
  readonly instead: "copy" | "nothing" | null;
}

/** The picture of an item as an image; `mapSize` is that of its map, once it is read. */
export function useShown(item: Item, mapSize: Size | null): Shown {
  const own = useImage(useFileUrl(item.file));
  const id = item.detection?.detection_id;
  const kept = usePicture(own === "cannot" && id && item.map ? `/detections/${id}/thumbnail` : null);
  const copy = useImage(kept.url);
  if (own instanceof HTMLImageElement)
    return { image: own, size: [own.naturalWidth, own.naturalHeight], instead: null };
  if (own === null) return { image: null, size: mapSize, instead: null };
  if (copy instanceof HTMLImageElement) return { image: copy, size: mapSize, instead: "copy" };
  return { image: null, size: mapSize, instead: "nothing" };
}

/** An image of an address: null while it is loaded, and without an address. */
export function useImage(url: string | undefined): HTMLImageElement | "cannot" | null {
  const [image, setImage] = useState<HTMLImageElement | "cannot" | null>(null);
  useEffect(() => {
    setImage(null);
    if (!url) return;
    const asked = new Image();
    asked.onload = () => setImage(asked);
    asked.onerror = () => setImage("cannot");
    asked.src = url;
    return () => {
      asked.onload = asked.onerror = null;
    };
  }, [url]);
  return image;
}
