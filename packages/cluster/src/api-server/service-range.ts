/** The addresses of services: 10.96.0.1 to 10.96.255.254. The first is the API's. */
export const SERVICE_RANGE = { base: 0x0a_60_00_00, prefix: 16 } as const;
