// Everything comes from this server: no fonts, proxy, assistant or telemetry of anybody else.
Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  theme: "default",
  layout: "modern",
  withDefaultFonts: false,
  telemetry: false,
  proxyUrl: "",
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
  operationTitleSource: "summary",
  tagsSorter: "alpha",
  defaultOpenAllTags: false,
  persistAuth: false,
  authentication: { preferredSecurityScheme: "bearer" },
  metaData: { title: "Tallystick API" },
});
