/** The network of all pods of this node: one bridge, and a network namespace and an address for each pod. */
export interface PodNetwork extends AsyncDisposable {
  /** This machine's address on the bridge. */
  readonly gateway: string;
  /** Gives a pod an address of its own whose namespace is ready. */
  lease(): Promise<string>;
  /** Makes the namespace of an address again where it is gone, as after a restart of the machine. */
  restore(address: string): Promise<void>;
  /** Starts a program in the namespace of an address. */
  enter(address: string): readonly string[];
  /** Takes the namespace of an address away; absence is no error. */
  release(address: string): Promise<void>;
}
