import { createTheme, type MantineThemeOverride } from "@mantine/core";

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif';
const MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace';

/** How everything looks: the colour of water, the reader's own typefaces, and a dark that is not black. */
export const theme: MantineThemeOverride = createTheme({
  primaryColor: "cyan",
  primaryShade: { light: 9, dark: 8 },
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
  defaultRadius: "md",
  cursorType: "pointer",
  colors: { dark: ["#d8dee5", "#b1bbc6", "#8b97a4", "#66727f", "#3c4650", "#2a323a", "#1f262d", "#161b20", "#12161a", "#0d1013"] },
  headings: { fontWeight: "650" },
});
