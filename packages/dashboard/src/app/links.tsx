import { Anchor, NavLink, type AnchorProps, type NavLinkProps } from "@mantine/core";
import { createLink, type LinkComponent } from "@tanstack/react-router";
import type { ComponentProps, ReactNode } from "react";

function PlainAnchor(props: AnchorProps & Omit<ComponentProps<"a">, keyof AnchorProps>): ReactNode {
  return <Anchor {...props} />;
}

function PlainNavLink(props: NavLinkProps & Omit<ComponentProps<"a">, keyof NavLinkProps>): ReactNode {
  return <NavLink {...props} />;
}

/** A link to a page, in running text. */
export const AnchorLink: LinkComponent<typeof PlainAnchor> = createLink(PlainAnchor);

/** A link to a page, in the navigation. */
export const NavigationLink: LinkComponent<typeof PlainNavLink> = createLink(PlainNavLink);
