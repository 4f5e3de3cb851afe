import { useEffect, useState } from "preact/hooks";
import { say } from "../words";

/** A picture of this machine; says so where the browser cannot show its format. */
export function FilePicture({ url, name }: { url: string; name: string }) {
  const [shown, setShown] = useState(true);
  if (!shown) return <span class="thumbnail missing">{say("cannotPreview")}</span>;
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

/** The same of a file, whose address is given up when it is no longer shown. */
export function OfFile({ file, name }: { file: File; name: string }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url ? <FilePicture url={url} name={name} /> : <span class="thumbnail missing" aria-busy="true" />;
}
