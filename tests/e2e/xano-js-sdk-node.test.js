import { InNode } from "./support/old-sdk.js";
import { tellStories } from "./support/old-sdk-stories.js";

tellStories(new InNode());
