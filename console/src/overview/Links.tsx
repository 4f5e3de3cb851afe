import { useLoaded } from "../api/loaded";
import { useSession } from "../api/session";
import { say } from "../words";

/** Where to look further, as the service's settings say. */
export function Links() {
  const { service } = useSession();
  const { value } = useLoaded((signal) => service.ask(service.api.GET("/links", { signal })), [service]);
  if (!value || (!value.grafana && !value.dashboard)) return null;
  return (
    <nav class="actions" aria-label={say("elsewhere")}>
      {value.grafana && (
        <a class="button plain" href={value.grafana} target="_blank" rel="noreferrer">
          Grafana
        </a>
      )}
      {value.dashboard && (
        <a class="button plain" href={value.dashboard} target="_blank" rel="noreferrer">
          {say("qdrantDashboard")}
        </a>
      )}
    </nav>
  );
}
