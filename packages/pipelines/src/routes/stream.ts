/**
 * A response's body of what `chunks` gives, as fast as it is taken; nothing is begun before it is read, as that of a HEAD never is.
 * A reader that goes away ends the iteration, after `onCancel`.
 */
export function streamOf(chunks: AsyncIterable<Uint8Array>, onCancel: () => void = () => undefined): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      onCancel();
      await iterator.return?.();
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
