import { NativeSelect, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import { useServices } from "../api/services.ts";
import { timeOf } from "../app/format.ts";
import { AnchorLink } from "../app/links.tsx";
import { Problem } from "../app/problem.tsx";
import { Ago } from "../app/times.tsx";
import { usePageTitle } from "../app/use-page-title.ts";
import { readPipelineSpec } from "../graph/pipeline-spec.ts";
import { indexTasks } from "../graph/task-tree.ts";
import { GraphView } from "../run/graph-view.tsx";
import classes from "./pipeline-page.module.css";

const MOST_VERSIONS = 200;

/** A pipeline that the server keeps, and the graph of one of its versions: the newest unless one is given. */
export function PipelinePage({ pipelineId, versionId }: { readonly pipelineId: string; readonly versionId?: string }): ReactNode {
  const { pipelines } = useServices();
  const navigate = useNavigate();
  const [scope, setScope] = useState<string>();
  const pipeline = useQuery({ queryKey: ["pipeline", pipelineId], queryFn: () => pipelines.getPipeline(pipelineId) });
  const versions = useQuery({
    queryKey: ["pipeline versions", pipelineId],
    queryFn: () => pipelines.listPipelineVersions(pipelineId, { pageSize: MOST_VERSIONS }),
  });
  const list = versions.data?.versions ?? [];
  const version = versionId === undefined ? list[0] : list.find(({ pipeline_version_id: id }) => id === versionId);
  const spec = version?.pipeline_spec;
  const index = useMemo(() => indexTasks(readPipelineSpec(spec), []), [spec]);
  usePageTitle(pipeline.data?.display_name ?? "Pipeline");
  const error = pipeline.error ?? versions.error;
  if (error !== null) {
    const again = (): void => void Promise.all([pipeline.refetch(), versions.refetch()]);
    return <Problem title="The pipeline cannot be shown" message={error.message} action={{ label: "Try again", onClick: again }} />;
  }
  const created = timeOf(version?.created_at);
  return (
    <div className={classes["page"]}>
      <header className={classes["header"]}>
        <div className={classes["titles"]}>
          <AnchorLink to="/runs" size="sm" className={classes["up"] ?? ""}>
            Runs
          </AnchorLink>
          <h1>{pipeline.data?.display_name ?? <Skeleton height={22} width={200} component="span" display="block" />}</h1>
          <p>
            {pipeline.data?.description ??
              (created === undefined ? (
                "\u00a0"
              ) : (
                <>
                  version made <Ago time={created} />
                </>
              ))}
          </p>
        </div>
        {list.length === 0 ? null : (
          <NativeSelect
            label="Version"
            size="xs"
            value={version?.pipeline_version_id ?? ""}
            data={list.map(({ pipeline_version_id: value, display_name: label }) => ({ value, label }))}
            onChange={({ currentTarget: { value } }) =>
              void navigate({ to: "/pipelines/details/$pipelineId/version/$versionId", params: { pipelineId, versionId: value } })
            }
          />
        )}
      </header>
      {versions.isPending ? null : version === undefined ? (
        <Problem title="There is no such version">
          <p>{list.length === 0 ? "The pipeline has none yet." : "Choose another one above."}</p>
        </Problem>
      ) : (
        <GraphView index={index} scopePath={scope} selected={undefined} onSelect={() => undefined} onEnter={setScope} />
      )}
    </div>
  );
}
