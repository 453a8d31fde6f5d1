/**
 * Replaces `$(NAME)` by the variable's value and `$$` by one dollar, as Kubernetes does; what names no variable stays as
 * it is.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (all, name: string | undefined) => (name === undefined ? "$" : (variables.get(name) ?? all)));
}
