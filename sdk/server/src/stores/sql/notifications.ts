// The name under which changes of channels are notified; the payload is the channel's id.
export const CHANNELS = "mppsol_channels";
