import { useState } from "preact/hooks";
import { useFileUrl } from "../parts/useFileUrl";
import { say } from "../words";

/** A picture of this machine; says so where the browser cannot show its format. */
export function FilePicture({ file, name }: { file: File; name: string }) {
  const url = useFileUrl(file);
  const [shown, setShown] = useState(true);
  if (!shown) return <span class="thumbnail missing">{say("cannotPreview")}</span>;
  if (!url) return <span class="thumbnail missing" aria-busy="true" />;
  return (
    <img
      class="thumbnail"
      src={url}
      alt={name}
      loading="lazy"
      decoding="async"
      onError={() => setShown(false)}
    />
  );
}
