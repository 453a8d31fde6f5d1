import type { ReactNode } from "react";
import { parseMarkdown, type Block, type Inline } from "./markdown.ts";
import classes from "./markdown-view.module.css";

/** A Markdown document. */
export function MarkdownView({ text }: { readonly text: string }): ReactNode {
  return <div className={classes["document"]}>{blocks(parseMarkdown(text))}</div>;
}

function blocks(list: readonly Block[]): ReactNode {
  return list.map((block, index) => <BlockView key={index} block={block} />);
}

function BlockView({ block }: { readonly block: Block }): ReactNode {
  switch (block.type) {
    case "heading": {
      // The page has headings of its own above.
      const Heading = `h${Math.min(6, block.level + 2)}` as "h3";
      return <Heading data-level={block.level}>{inlines(block.children)}</Heading>;
    }
    case "paragraph":
      return <p>{inlines(block.children)}</p>;
    case "code":
      return (
        <pre>
          <code>{block.text}</code>
        </pre>
      );
    case "rule":
      return <hr />;
    case "quote":
      return <blockquote>{blocks(block.blocks)}</blockquote>;
    case "list": {
      const items = block.items.map((item, index) => (
        <li key={index}>{item.length === 1 && item[0]?.type === "paragraph" ? inlines(item[0].children) : blocks(item)}</li>
      ));
      return block.isOrdered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div className={classes["table"]}>
          <table>
            <thead>
              <tr>
                {block.header.map((cell, index) => (
                  <th key={index}>{inlines(cell)}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={column}>{inlines(cell)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function inlines(list: readonly Inline[]): ReactNode {
  return list.map((inline, index) => <InlineView key={index} inline={inline} />);
}

function InlineView({ inline }: { readonly inline: Inline }): ReactNode {
  switch (inline.type) {
    case "text":
      return inline.text;
    case "code":
      return <code>{inline.text}</code>;
    case "strong":
      return <strong>{inlines(inline.children)}</strong>;
    case "emphasis":
      return <em>{inlines(inline.children)}</em>;
    case "struck":
      return <s>{inlines(inline.children)}</s>;
    case "link":
      return (
        <a href={inline.url} target="_blank" rel="noreferrer">
          {inlines(inline.children)}
        </a>
      );
  }
}
