import { AppShell, Burger, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { ColorSchemeSwitch } from "./color-scheme-switch.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { NavigationLink } from "./links.tsx";
import { OfflineBanner } from "./offline-banner.tsx";
import classes from "./shell.module.css";

interface Section {
  readonly title: string;
  readonly links: readonly { readonly label: string; readonly icon: IconName; readonly to: "/runs" }[];
}

/** What there is; a subproject adds its section when it has a page. */
const SECTIONS: readonly Section[] = [{ title: "Pipelines", links: [{ label: "Runs", icon: "play", to: "/runs" }] }];

/** The frame around every page. */
export function Shell(): ReactNode {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const path = useRouterState({ select: ({ location }) => location.pathname });
  useEffect(close, [path, close]);
  return (
    <AppShell
      header={{ height: { base: 52, sm: 0 } }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !isOpen } }}
      padding={0}
      transitionDuration={0}
      classNames={{ main: classes["main"] ?? "", navbar: classes["navbar"] ?? "", header: classes["header"] ?? "" }}
    >
      <a href="#main" className={classes["skip"]} onClick={skipToMain}>
        Skip to content
      </a>
      <AppShell.Header hiddenFrom="sm">
        <Burger opened={isOpen} onClick={toggle} size="sm" aria-label={isOpen ? "Close the navigation" : "Open the navigation"} />
        <Logo />
      </AppShell.Header>
      <AppShell.Navbar>
        <div className={classes["logo"]}>
          <Logo />
        </div>
        <nav aria-label="Main" className={classes["sections"]}>
          {SECTIONS.map(({ title, links }) => (
            <section key={title} aria-label={title}>
              <Text component="h2" className={classes["title"] ?? ""}>
                {title}
              </Text>
              {links.map(({ label, icon, to }) => (
                <NavigationLink
                  key={to}
                  to={to}
                  label={label}
                  leftSection={<Icon name={icon} />}
                  active={path.startsWith(to)}
                  className={classes["link"] ?? ""}
                />
              ))}
            </section>
          ))}
        </nav>
        <div className={classes["foot"]}>
          <ColorSchemeSwitch />
          <Version />
        </div>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <OfflineBanner />
        <div className={classes["page"]}>
          <Outlet />
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

/** The router lives in the address's hash, so the link moves the focus itself. */
function skipToMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Logo(): ReactNode {
  return (
    <span className={classes["name"]}>
      <img src="/favicon.svg" alt="" width={24} height={24} />
      Sluice
    </span>
  );
}

function Version(): ReactNode {
  const { data } = useQuery({
    queryKey: ["health"],
    queryFn: async () => (await (await fetch("/healthz")).json()) as { readonly version?: string },
    staleTime: Infinity,
  });
  return <span className={classes["version"]}>{data?.version === undefined ? "\u00a0" : `Sluice ${data.version}`}</span>;
}
