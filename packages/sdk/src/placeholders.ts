/** What a task can be told of itself and its run: as, or in, a string that it is given. The names are those of the Python SDK. */
export const placeholders = {
  /** The run's name. */
  pipelineJobName: "{{$.pipeline_job_name}}",
  /** The name of the run's object in the cluster. */
  pipelineJobResourceName: "{{$.pipeline_job_resource_name}}",
  pipelineJobId: "{{$.pipeline_job_uuid}}",
  pipelineTaskName: "{{$.pipeline_task_name}}",
  pipelineTaskId: "{{$.pipeline_task_uuid}}",
  pipelineRoot: "{{$.pipeline_root}}",
  pipelineJobCreateTimeUtc: "{{$.pipeline_job_create_time_utc}}",
  pipelineJobScheduleTimeUtc: "{{$.pipeline_job_schedule_time_utc}}",
  /** Where the run's workspace is; using it mounts it. */
  workspacePath: "{{$.workspace_path}}",
  /** In a container's command: all inputs and outputs, as JSON. */
  executorInput: "{{$}}",
  /** In a container's command: the file that tells what the outputs are. */
  executorOutputPath: "{{$.outputs.output_file}}",
} as const;
