import { ActionIcon, Menu, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import type { ReactNode } from "react";
import { Icon, type IconName } from "./icons.tsx";

const SCHEMES: Readonly<Record<MantineColorScheme, { readonly label: string; readonly icon: IconName }>> = {
  light: { label: "Light", icon: "sun" },
  dark: { label: "Dark", icon: "moon" },
  auto: { label: "As the system", icon: "monitor" },
};

/** Chooses between light, dark and what the system says. */
export function ColorSchemeSwitch(): ReactNode {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="top-start" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Colours: ${SCHEMES[colorScheme].label}`}>
          <Icon name={SCHEMES[colorScheme].icon} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {(["auto", "light", "dark"] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            leftSection={<Icon name={SCHEMES[scheme].icon} />}
            onClick={() => setColorScheme(scheme)}
            aria-current={scheme === colorScheme}
          >
            {SCHEMES[scheme].label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
