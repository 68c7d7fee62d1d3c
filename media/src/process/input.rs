//! How FFmpeg opens an address, and which kinds of media it takes: one that names other media would lead it to files of this
//! machine.

use url::Url;

use crate::error::MediaError;

/// The kinds of media that segments of HLS have, where they become files.
pub(crate) const SEGMENTS: &str = "mpegts,mov,mp3,aac,ac3,eac3";
/// The kinds of media that name no other media.
pub(crate) const MEDIA: &str =
    "mpegts,mov,mp3,aac,ac3,eac3,matroska,webm,flv,ogg,wav,w64,aiff,flac,caf,au,amr,avi,asf,mpeg";
/// What is read over the network only: lists of media, which can lead nowhere else by the list of protocols.
const LISTS: &str = "hls,dash,webvtt,live_flv,rtsp,sdp,rtp";

/// FFmpeg's options for an input. What comes from the network may not open files of this machine.
pub(crate) fn input_options(media: &Url, skip_ms: i64) -> Result<Vec<String>, MediaError> {
    let mut input: Vec<String> = Vec::new();
    let mut add = |options: &[&str]| input.extend(options.iter().map(|&option| option.to_owned()));
    if skip_ms > 0 {
        add(&["-ss", &format!("{}.{:03}", skip_ms / 1000, skip_ms % 1000)]);
    }
    let address = match media.scheme() {
        "file" => {
            add(&["-format_whitelist", MEDIA, "-protocol_whitelist", "file,crypto,data"]);
            let path = media
                .to_file_path()
                .map_err(|()| MediaError::refused("The file's address has no path.", "Write file:///FOLDER/NAME."))?;
            format!("file:{}", path.display())
        }
        "http" | "https" => {
            add(&["-format_whitelist", &format!("{MEDIA},{LISTS}")]);
            add(&["-protocol_whitelist", "http,https,tcp,tls,crypto,data,httpproxy", "-rw_timeout", "20000000"]);
            media.as_str().to_owned()
        }
        _ => {
            add(&["-format_whitelist", &format!("{MEDIA},{LISTS}")]);
            add(&[
                "-protocol_whitelist",
                "rtmp,rtmps,rtmpt,rtsp,rtp,udp,srt,tcp,tls,http,https",
                "-rw_timeout",
                "20000000",
            ]);
            media.as_str().to_owned()
        }
    };
    add(&["-i", &address]);
    Ok(input)
}
