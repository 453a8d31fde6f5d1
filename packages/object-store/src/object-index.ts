import type { Database, Migration, TypedDatabase } from "@sluice/database";
import { sql, type Transaction } from "kysely";
import type { ObjectAddress } from "./object-uri.ts";

/** The index: which bytes each address has, and the bytes themselves where they are few. */
export interface IndexTables {
  objects: ObjectRow;
  blobs: { digest: string; bytes: Uint8Array };
}

/** One object. `digest` is hexadecimal. */
export interface ObjectRow {
  bucket: string;
  key: string;
  digest: string;
  size: number;
}

/** A transaction over the index. */
export type IndexTransaction = Transaction<IndexTables>;

const PAGE = 1000;
/** Values per statement. */
const CHUNK = 500;

const SCHEMA: Migration = {
  name: "001-objects",
  async up({ schema }) {
    const objects = schema.createTable("objects").addColumn("bucket", "text", (column) => column.notNull());
    await objects
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("size", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("objects_key", ["bucket", "key"])
      .modifyEnd(sql`without rowid`)
      .execute();
    await schema.createIndex("objects_digest").on("objects").column("digest").execute();
    const blobs = schema.createTable("blobs").addColumn("digest", "text", (column) => column.primaryKey());
    await blobs.addColumn("bytes", "blob", (column) => column.notNull()).execute();
  },
};

/** Opens the index that `database` holds. */
export async function openIndex(database: Database): Promise<ObjectIndex> {
  await database.migrate("objects", [SCHEMA]);
  return new ObjectIndex(database.of<IndexTables>());
}

/** What is committed of the objects, and how it is changed. */
export class ObjectIndex {
  readonly #database: TypedDatabase<IndexTables>;

  constructor(database: TypedDatabase<IndexTables>) {
    this.#database = database;
  }

  transaction<R>(work: (transaction: IndexTransaction) => Promise<R>): Promise<R> {
    return this.#database.transaction(work);
  }

  find({ bucket, key }: ObjectAddress): Promise<ObjectRow | undefined> {
    return this.#database.read.selectFrom("objects").selectAll().where("bucket", "=", bucket).where("key", "=", key).executeTakeFirst();
  }

  /** The bytes of that digest, if they are few. */
  async inlineBytes(digest: string): Promise<Uint8Array | undefined> {
    return (await this.#database.read.selectFrom("blobs").select("bytes").where("digest", "=", digest).executeTakeFirst())?.bytes;
  }

  /** All below an address, in the order of keys. */
  async *below({ bucket, key }: ObjectAddress): AsyncGenerator<ObjectRow> {
    const all = this.#database.read.selectFrom("objects").selectAll().where("bucket", "=", bucket).orderBy("key").limit(PAGE);
    const [start, end] = rangeBelow(key);
    const within = end === undefined ? all : all.where("key", "<", end);
    for (let last = start; ;) {
      const rows = await within.where("key", ">", last).execute();
      yield* rows;
      const next = rows.at(-1);
      if (next === undefined || rows.length < PAGE) return;
      last = next.key;
    }
  }

  /** Those of `digests` that no object has. */
  async unreferenced(digests: Iterable<string>): Promise<string[]> {
    return unreferenced(this.#database.read, digests);
  }
}

/** Puts an object in its place; returns the digest that it had before. */
export async function putObject(transaction: IndexTransaction, row: ObjectRow): Promise<string | undefined> {
  const { bucket, key, digest, size } = row;
  const before = await transaction.selectFrom("objects").select("digest").where("bucket", "=", bucket).where("key", "=", key).executeTakeFirst();
  const insert = transaction.insertInto("objects").values(row);
  await insert.onConflict((conflict) => conflict.columns(["bucket", "key"]).doUpdateSet({ digest, size })).execute();
  return before?.digest;
}

/** Keeps bytes in the index. */
export async function putInline(transaction: IndexTransaction, digest: string, bytes: Uint8Array): Promise<void> {
  await transaction
    .insertInto("blobs")
    .values({ digest, bytes })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Removes an object and all below it; returns the digests that they had. */
export async function deleteObjects(transaction: IndexTransaction, { bucket, key }: ObjectAddress): Promise<string[]> {
  const own = transaction.deleteFrom("objects").where("bucket", "=", bucket);
  const [start, end] = rangeBelow(key);
  const below = end === undefined ? own : own.where("key", ">", start).where("key", "<", end);
  const removed = await below.returning("digest").execute();
  if (key !== "") removed.push(...(await own.where("key", "=", key).returning("digest").execute()));
  return removed.map(({ digest }) => digest);
}

/** Removes from the index those of `digests` that no object has, and returns them. */
export async function collectGarbage(transaction: IndexTransaction, digests: Iterable<string>): Promise<string[]> {
  const garbage = await unreferenced(transaction, digests);
  for (const some of chunks(garbage)) await transaction.deleteFrom("blobs").where("digest", "in", some).execute();
  return garbage;
}

async function unreferenced(database: TypedDatabase<IndexTables>["read"], digests: Iterable<string>): Promise<string[]> {
  const rest = new Set(digests);
  for (const some of chunks([...rest])) {
    for (const { digest } of await database.selectFrom("objects").select("digest").distinct().where("digest", "in", some).execute())
      rest.delete(digest);
  }
  return [...rest];
}

/** The keys that start with `key/` lie between these two, both exclusive; those of a bucket have no end. */
function rangeBelow(key: string): readonly [string, string | undefined] {
  // "0" is the character after "/".
  return key === "" ? ["", undefined] : [`${key}/`, `${key}0`];
}

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK);
}
