import "react";

declare module "react" {
  interface CSSProperties {
    "--seal-size"?: string;
  }
}
