/**
 * Runs jobs in order, `width` of them at a time. After the first failure no job is started, `onFailure` is told (to
 * stop what is running), and the failure is thrown once the running ones have ended.
 */
export async function runPool(
  jobs: readonly (() => Promise<void>)[],
  width: number,
  { stopped = () => false, onFailure = () => undefined }: { stopped?: () => boolean; onFailure?: () => void } = {},
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const lane = async () => {
    while (next < jobs.length && failures.length === 0 && !stopped()) {
      const job = jobs[next++];
      try {
        await job();
      } catch (error) {
        failures.push(error);
        onFailure();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, lane));
  if (failures.length > 0) throw failures[0];
}
