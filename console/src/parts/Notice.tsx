import * as told from "../told/told";

/** A warning or a remark of the service, in the page's language. */
export function Notice({ text }: { text: string }) {
  return <Sentence told={told.notice(text)} />;
}

/** An error of the service, in the page's language, with the code that its documentation explains. */
export function Fault({ code, message }: { code: string; message: string }) {
  return <Sentence told={told.error(code, message)} code={code} />;
}

/** Why a picture was left out. */
export function Reason({ code, message }: { code: string; message: string }) {
  return <Sentence told={told.reason(code, message)} code={code} />;
}

function Sentence({ told: { text, original }, code }: { told: told.Told; code?: string }) {
  return (
    <>
      {code ? `${text} (${code})` : text}
      {original && (
        <>
          <br />
          <small lang="en" class="soft">
            {original}
          </small>
        </>
      )}
    </>
  );
}
