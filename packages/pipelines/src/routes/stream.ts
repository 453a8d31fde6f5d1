/** A response's body of what `chunks` gives, as fast as it is taken; a reader that goes away ends the iteration, after `onCancel`. */
export function streamOf(chunks: AsyncIterable<Uint8Array>, onCancel: () => void = () => undefined): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      onCancel();
      await iterator.return?.();
    },
  });
}
