/** One point of a ROC curve, as Kubeflow's `confidenceMetrics` has it. */
export interface RocPoint {
  readonly confidenceThreshold: number;
  readonly recall: number;
  readonly falsePositiveRate: number;
}

/** How often each digit (row) was taken for each (column). */
export function confusionOf(labels: ArrayLike<number>, guesses: readonly number[], classes: number): number[][] {
  const matrix = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  guesses.forEach((guess, index) => {
    const row = matrix[labels[index] ?? 0];
    if (row !== undefined) row[guess] = (row[guess] ?? 0) + 1;
  });
  return matrix;
}

/** The ROC curve over all pairs of an image and a digit (one against the rest), thinned to `points`, and the area below it. */
export function rocOf(
  labels: ArrayLike<number>,
  probabilities: readonly Float32Array[],
  points = 100,
): { readonly curve: RocPoint[]; readonly area: number } {
  const pairs = probabilities.flatMap((row, index) => [...row].map((score, digit) => ({ score, isTrue: labels[index] === digit })));
  pairs.sort((a, b) => b.score - a.score);
  const positives = pairs.filter(({ isTrue }) => isTrue).length;
  const negatives = pairs.length - positives;
  const all: RocPoint[] = [{ confidenceThreshold: 1, recall: 0, falsePositiveRate: 0 }];
  let hits = 0;
  let area = 0;
  pairs.forEach(({ score, isTrue }, index) => {
    if (isTrue) hits++;
    // Equal scores are one step: no threshold tells them apart.
    if (pairs[index + 1]?.score === score) return;
    const before = all.at(-1);
    const point = { confidenceThreshold: score, recall: hits / positives, falsePositiveRate: (index + 1 - hits) / negatives };
    area += ((point.falsePositiveRate - (before?.falsePositiveRate ?? 0)) * (point.recall + (before?.recall ?? 0))) / 2;
    all.push(point);
  });
  return { curve: thinned(all, points), area };
}

/** At most `count` points, at even distances along the curve. */
function thinned(points: readonly RocPoint[], count: number): RocPoint[] {
  const way = ({ recall, falsePositiveRate }: RocPoint): number => recall + falsePositiveRate;
  let next = 0;
  return points.filter((point, index) => {
    if (index < points.length - 1 && way(point) < next) return false;
    next = way(point) + 2 / count;
    return true;
  });
}
