"""GDI without a screen: objects behind a process's GDI handles, regions, and drawing into bitmaps."""
